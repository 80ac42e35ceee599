//! Elements as bytes in C order, little-endian: all of a `.bin` file, and a `.npy` file behind its header.

use std::borrow::Cow;
use std::io::{self, BufWriter, Write};
use std::sync::mpsc;
use std::thread;

use swath::model::{DataType, Limits, Region};
use swath::{DynArray, Session};

use super::PartFile;
use crate::args::What;
use crate::failure::{Failure, Result};
use crate::open::Chosen;
use crate::progress::Progress;
use crate::slabs::{self, Slabs};
use crate::stats::Totals;

/// What is written of each element, and its type.
pub(crate) struct Written {
    what: What,
    pub(crate) of: DataType,
}

/// The type of what is written.
pub(crate) fn written_type(chosen: &Chosen, what: What) -> Result<Written> {
    let stored = chosen.array.data_type();
    let of = match (what.mask, what.scaled) {
        (true, _) if stored.size().is_none() => return Err(Failure::usage(format!("--mask is not for {stored}"))),
        (true, _) => DataType::Bool,
        (_, true) if matches!(stored, DataType::F32) || stored.size() <= Some(2) => DataType::F32,
        (_, true) => DataType::F64,
        _ => stored.clone(),
    };
    Ok(Written { what, of })
}

/// Writes a header and then the elements.
pub(crate) fn write(session: &Session, chosen: &Chosen, written: &Written, file: &PartFile, header: &[u8], totals: &mut Totals) -> Result<()> {
    file.write_at(header, 0).map_err(|e| file.failure(&e))?;
    let bytes = match written.of.size() {
        Some(element) => fixed(session, chosen, written, file, (header.len() as u64, element as u64), totals)?,
        None => variable(session, chosen, file, totals)?,
    };
    totals.output_bytes = bytes + header.len() as u64;
    Ok(())
}

/// A slab on its way to the file: the elements that it is a part of and where their output starts, the slab, its elements.
type Slab = (Region, u64, Region, DynArray);

/// Elements of one length, each slab at its place: one is written while the next is read.
fn fixed(session: &Session, chosen: &Chosen, written: &Written, file: &PartFile, (start, element): (u64, u64), totals: &mut Totals) -> Result<u64> {
    let array = &chosen.array;
    // What the lengths of the output count: elements, or the halves that they are written as.
    let unit = if chosen.pairs.is_some() { element / 2 } else { element };
    let length = |shape: &[u64]| shape.iter().try_fold(unit, |n, m| n.checked_mul(*m)).unwrap_or(u64::MAX);
    let bytes = length(&chosen.shape());
    Limits::check("max_output_bytes", bytes, session.limits().max_output_bytes)?;
    file.file().set_len(start.saturating_add(bytes)).map_err(|e| file.failure(&e))?;
    let What { scaled, mask } = written.what;
    let zero_fill = array.meta().fill_value.is_zero() && !scaled && !mask;
    let parts = chosen.parts();
    let mut progress = Progress::new(parts.iter().map(Region::len).sum());
    let (send, receive) = mpsc::sync_channel::<Slab>(0);
    thread::scope(|scope| {
        let place = move || -> io::Result<()> {
            for (part, start, slab, values) in receive {
                place(file, start, chosen, (&part, &slab), unit, &values)?;
            }
            Ok(())
        };
        let writer = thread::Builder::new().name("swath-write".into()).spawn_scoped(scope, place)?;
        let read = || -> Result<()> {
            let mut start = start;
            for part in parts {
                for slab in Slabs::new(&array.meta().grid, part.clone(), element, slabs::BUDGET) {
                    let (values, stats) = if mask {
                        session.block_on(array.read_valid_dyn(&slab))?
                    } else if scaled {
                        session.block_on(array.read_scaled_dyn(&written.of, &slab))?
                    } else {
                        session.block_on(array.read_dyn_with_stats(&slab))?
                    };
                    totals.add(&stats)?;
                    progress.add(slab.len());
                    // The file is zeros (and a hole) until something is written.
                    let nothing = zero_fill && stats.absent == stats.chunks;
                    if !nothing && send.send((part.clone(), start, slab, values)).is_err() {
                        return Ok(()); // the writer has failed, and says why below
                    }
                }
                start = start.saturating_add(length(&chosen.written(&part).shape()));
            }
            Ok(())
        };
        let read = read();
        drop(send);
        let placed = writer.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        read?;
        placed.map_err(|e| file.failure(&e))
    })?;
    Ok(bytes)
}

fn place(file: &PartFile, start: u64, chosen: &Chosen, (part, slab): (&Region, &Region), unit: u64, values: &DynArray) -> io::Result<()> {
    let mut bytes = match values.bytes() {
        Some(bytes) if cfg!(target_endian = "little") => Cow::Borrowed(bytes),
        _ => Cow::Owned(values.clone().into_little_endian()),
    };
    if let Some(cropped) = chosen.pairs.as_ref().and_then(|pairs| pairs.crop(slab, &bytes, unit)) {
        bytes = Cow::Owned(cropped);
    }
    let (length, places) = slabs::runs(&chosen.written(part), &chosen.written(slab), unit);
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    for (run, at) in bytes.chunks_exact(length.max(1)).zip(places) {
        file.write_at(run, start.saturating_add(at))?;
    }
    Ok(())
}

/// Elements that differ in length, one behind the other: each its length in 32 bits, then its bytes.
fn variable(session: &Session, chosen: &Chosen, file: &PartFile, totals: &mut Totals) -> Result<u64> {
    let array = &chosen.array;
    let parts = chosen.parts();
    let mut progress = Progress::new(parts.iter().map(Region::len).sum());
    let mut out = BufWriter::with_capacity(1 << 20, file.file());
    let mut written = 0_u64;
    let slabs = |part| Slabs::new(&array.meta().grid, part, slabs::TYPICAL_TEXT, slabs::BUDGET).in_order();
    for slab in parts.into_iter().flat_map(slabs) {
        let (values, stats) = session.block_on(array.read_dyn_with_stats(&slab))?;
        totals.add(&stats)?;
        progress.add(slab.len());
        for element in values.elements().unwrap_or_default() {
            let length = u32::try_from(element.len()).map_err(|_| Failure::refused("an element of 4 GiB or more has no place in a .bin file"))?;
            out.write_all(&length.to_le_bytes()).and_then(|()| out.write_all(element)).map_err(|e| file.failure(&e))?;
            written += 4 + u64::from(length);
        }
    }
    out.flush().map_err(|e| file.failure(&e))?;
    Ok(written)
}
