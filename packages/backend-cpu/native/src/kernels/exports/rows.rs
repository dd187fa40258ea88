//! Gathering and scattering rows.

use napi::Result;
use napi_derive::napi;

use crate::args::{In, Ints, Out, guard, length, outputs, product};
use crate::kernels::rows;

use super::{in_range, row_count};

/// Rows of `table` by id, and rows of `visual` where the id is negative (-1 - row).
#[napi]
pub fn splice(table: In, visual: In, ids: Ints, width: u32, out: Out) -> Result<()> {
    guard("splice", || {
        let [out] = outputs([out], &[&table, &visual, &ids])?;
        let (table, visual, ids, width) = (table.slice(), visual.slice(), ids.slice(), width as usize);
        length("out", out, product(&[ids.len(), width])?)?;
        if width == 0 {
            return Ok(());
        }
        let lowest = -(row_count("visual", visual, width)? as i64);
        in_range("ids", ids, lowest, row_count("table", table, width)?)?;
        rows::splice(table, visual, ids, width, out);
        Ok(())
    })
}

/// Adds rows of `dy` to the rows of `out` that they name; negative rows are left out.
#[napi]
pub fn scatter_add_rows(dy: In, rows: Ints, width: u32, out: Out) -> Result<()> {
    guard("scatter_add_rows", || {
        let [out] = outputs([out], &[&dy, &rows])?;
        let (dy, rows, width) = (dy.slice(), rows.slice(), width as usize);
        length("dy", dy, product(&[rows.len(), width])?)?;
        if width == 0 {
            return Ok(());
        }
        in_range("rows", rows, i64::from(i32::MIN), row_count("out", out, width)?)?;
        rows::scatter_add_rows(dy, rows, width, out);
        Ok(())
    })
}
