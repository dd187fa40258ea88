//! Arguments of exported functions: typed-array views, length checks, and panics turned into exceptions.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;
#[cfg(not(target_family = "wasm"))]
use std::ptr::null_mut;

use napi::bindgen_prelude::FromNapiValue;
use napi::{Error, Result, Status, sys};

/// An element type that JavaScript has a typed array for.
pub trait Element: Copy + Send + Sync + 'static {
    const KIND: sys::napi_typedarray_type;
    const NAME: &'static str;
}

impl Element for f32 {
    const KIND: sys::napi_typedarray_type = sys::TypedarrayType::float32_array;
    const NAME: &'static str = "Float32Array";
}

impl Element for i32 {
    const KIND: sys::napi_typedarray_type = sys::TypedarrayType::int32_array;
    const NAME: &'static str = "Int32Array";
}

impl Element for u8 {
    const KIND: sys::napi_typedarray_type = sys::TypedarrayType::uint8_array;
    const NAME: &'static str = "Uint8Array";
}

/// A typed array as it came in: no reference exists until [`View::slice`] or [`outputs`] makes one.
pub struct View<T> {
    pointer: NonNull<T>,
    length: usize,
}

impl<T> Clone for View<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for View<T> {}

/// An input of 32-bit floats.
pub type In = View<f32>;
/// An input of 32-bit integers.
pub type Ints = View<i32>;
/// An output of 32-bit floats; see [`outputs`].
pub type Out = View<f32>;

/// An input of either kind.
#[derive(Clone, Copy)]
pub enum Numbers {
    Floats(In),
    Integers(Ints),
}

impl FromNapiValue for Numbers {
    unsafe fn from_napi_value(env: sys::napi_env, value: sys::napi_value) -> Result<Self> {
        // SAFETY: the caller's env and value.
        let floats = unsafe { In::from_napi_value(env, value) };
        if let Ok(floats) = floats {
            return Ok(Self::Floats(floats));
        }
        // SAFETY: as above.
        unsafe { Ints::from_napi_value(env, value) }.map(Self::Integers)
    }
}

impl Memory for Numbers {
    fn range(&self) -> (usize, usize) {
        match self {
            Self::Floats(view) => view.range(),
            Self::Integers(view) => view.range(),
        }
    }
}

impl<T: Element> FromNapiValue for View<T> {
    unsafe fn from_napi_value(env: sys::napi_env, value: sys::napi_value) -> Result<Self> {
        // SAFETY: the caller's env and value.
        match unsafe { typed_array(env, value) } {
            Some((kind, address, length)) if kind == T::KIND => Ok(Self {
                pointer: NonNull::new(address as *mut T).unwrap_or(NonNull::dangling()),
                length,
            }),
            _ => Err(Error::new(Status::InvalidArg, format!("expected a {}", T::NAME))),
        }
    }
}

/// Kind, address and length of a typed array; none for any other value.
///
/// # Safety
/// `env` and `value` must come from the running call.
#[cfg(not(target_family = "wasm"))]
unsafe fn typed_array(
    env: sys::napi_env,
    value: sys::napi_value,
) -> Option<(sys::napi_typedarray_type, usize, usize)> {
    let (mut kind, mut length, mut data) = (-1, 0, null_mut());
    // SAFETY: all pointers are valid for writing; a value that is no typed array gives a status.
    let status = unsafe {
        sys::napi_get_typedarray_info(
            env,
            value,
            &mut kind,
            &mut length,
            &mut data,
            null_mut(),
            null_mut(),
        )
    };
    (status == sys::Status::napi_ok).then_some((kind, data as usize, length))
}

/// As above, from the row of [`crate::wasm`]'s table that the value names.
#[cfg(target_family = "wasm")]
unsafe fn typed_array(
    env: sys::napi_env,
    value: sys::napi_value,
) -> Option<(sys::napi_typedarray_type, usize, usize)> {
    let mut row = 0;
    // SAFETY: the pointer is valid for writing; a value that is no number gives a status.
    let status = unsafe { sys::napi_get_value_uint32(env, value, &mut row) };
    (status == sys::Status::napi_ok)
        .then(|| crate::wasm::argument(row))
        .flatten()
}

impl<T: Element> View<T> {
    /// The elements. JavaScript cannot change them while the call runs; outputs are checked by [`outputs`].
    pub fn slice<'a>(self) -> &'a [T] {
        // SAFETY: the engine gave this pointer and length, and the caller's arrays outlive the call.
        unsafe { std::slice::from_raw_parts(self.pointer.as_ptr(), self.length) }
    }

    fn range(self) -> (usize, usize) {
        let start = self.pointer.as_ptr() as usize;
        (start, start + self.length * size_of::<T>())
    }
}

/// Anything whose memory an output must not touch.
pub trait Memory {
    /// First address and the one after the last.
    fn range(&self) -> (usize, usize);
}

impl<T: Element> Memory for View<T> {
    fn range(&self) -> (usize, usize) {
        View::range(*self)
    }
}

fn overlap(a: (usize, usize), b: (usize, usize)) -> bool {
    // The larger start lies before the smaller end: never true where one is empty.
    a.0.max(b.0) < a.1.min(b.1)
}

/// Mutable slices of `outputs`, after a check that they touch neither each other nor an input.
pub fn outputs<'a, T: Element, const N: usize>(
    outputs: [View<T>; N],
    inputs: &[&dyn Memory],
) -> Result<[&'a mut [T]; N]> {
    for (i, output) in outputs.iter().enumerate() {
        let mine = View::range(*output);
        let clash = inputs.iter().any(|input| overlap(mine, input.range()))
            || outputs[..i]
                .iter()
                .any(|other| overlap(mine, View::range(*other)));
        if clash {
            return Err(invalid(format!("output {i} shares memory with another argument")));
        }
    }
    // SAFETY: as in `slice`, and the ranges were just shown to be disjoint.
    Ok(outputs.map(|o| unsafe { std::slice::from_raw_parts_mut(o.pointer.as_ptr(), o.length) }))
}

/// An error of the caller.
pub fn invalid(message: impl Into<String>) -> Error {
    Error::new(Status::InvalidArg, message.into())
}

/// Fails unless `slice` has exactly `expected` elements.
pub fn length<T>(name: &str, slice: &[T], expected: usize) -> Result<()> {
    if slice.len() == expected {
        return Ok(());
    }
    Err(invalid(format!(
        "`{name}` has {} elements, expected {expected}",
        slice.len()
    )))
}

/// Product of sizes; fails instead of overflowing.
pub fn product(sizes: &[usize]) -> Result<usize> {
    sizes
        .iter()
        .try_fold(1usize, |all, &size| all.checked_mul(size))
        .ok_or_else(|| invalid("sizes are too large"))
}

/// Runs the body of an exported function. A panic becomes an exception that names the function.
pub fn guard<T>(name: &str, body: impl FnOnce() -> Result<T>) -> Result<T> {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(Error::new(error.status, format!("{name}: {}", error.reason))),
        Err(panic) => {
            let text = panic
                .downcast_ref::<String>()
                .map(String::as_str)
                .or_else(|| panic.downcast_ref::<&str>().copied())
                .unwrap_or("unknown panic");
            Err(Error::new(
                Status::GenericFailure,
                format!("{name}: internal error: {text}"),
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(memory: &mut [f32]) -> Out {
        View {
            pointer: NonNull::from(&mut *memory).cast(),
            length: memory.len(),
        }
    }

    fn part(whole: Out, start: usize, length: usize) -> Out {
        assert!(start + length <= whole.length);
        View {
            // SAFETY: within the view, as just checked.
            pointer: unsafe { whole.pointer.add(start) },
            length,
        }
    }

    #[test]
    fn a_product_that_an_address_cannot_hold_is_refused() {
        let half = 1 << (usize::BITS / 2);
        assert_eq!(product(&[half, half - 1]).unwrap(), half * (half - 1));
        // The lower bits of these are 0: an empty array would fit.
        for sizes in [&[half, half][..], &[half, half, 3], &[2, usize::MAX / 2 + 1]] {
            assert_eq!(product(sizes).unwrap_err().reason, "sizes are too large");
        }
        assert_eq!(product(&[half, 0]).unwrap(), 0);
    }

    #[test]
    fn an_output_without_elements_touches_nothing() {
        let mut memory = [0.0; 8];
        let whole = view(&mut memory);
        let empty = part(whole, 3, 0);
        assert!(outputs([empty], &[&whole]).is_ok());
        assert!(outputs([empty, empty], &[&whole]).is_ok());
        assert!(outputs([whole, empty], &[]).is_ok());
        assert!(outputs([whole], &[&empty]).is_ok());
    }

    #[test]
    fn an_output_that_shares_an_element_is_refused() {
        let mut memory = [0.0; 8];
        let whole = view(&mut memory);
        let [left, right] = [part(whole, 0, 4), part(whole, 4, 4)];
        assert!(outputs([left], &[&right]).is_ok());
        assert!(outputs([left, right], &[]).is_ok());
        for shared in [part(whole, 3, 1), part(whole, 3, 2), left] {
            assert!(outputs([shared], &[&left]).is_err());
            assert!(outputs([left, shared], &[]).is_err());
        }
    }
}
