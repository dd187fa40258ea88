//! What JavaScript calls: every length, offset and id is checked here, before a body runs.

mod attention;
mod decoder_block;
mod elements;
mod linear;
mod losses;
mod norms;
mod rows;

use napi::Result;

use crate::args::invalid;

/// Fails unless every value lies in `from .. to`.
fn in_range(name: &str, values: &[i32], from: i64, to: usize) -> Result<()> {
    let outside = |&&value: &&i32| i64::from(value) < from || i64::from(value) >= to as i64;
    match values.iter().find(outside) {
        None => Ok(()),
        Some(value) => Err(invalid(format!(
            "`{name}` holds {value}, expected {from} to below {to}"
        ))),
    }
}

/// Rows of `width` elements; fails unless they come out even.
fn row_count<T>(name: &str, slice: &[T], width: usize) -> Result<usize> {
    if width == 0 || !slice.len().is_multiple_of(width) {
        return Err(invalid(format!(
            "`{name}` has {} elements, no whole rows of {width}",
            slice.len()
        )));
    }
    Ok(slice.len() / width)
}

/// Fails unless offsets start at 0, never fall, and end at `rows`.
fn offsets(name: &str, offsets: &[i32], rows: usize) -> Result<()> {
    let rising = offsets.windows(2).all(|pair| pair[0] <= pair[1]);
    let ends = offsets.first() == Some(&0) && offsets.last().map(|&last| last as usize) == Some(rows);
    if rising && ends {
        return Ok(());
    }
    Err(invalid(format!("`{name}` must rise from 0 to {rows}")))
}
