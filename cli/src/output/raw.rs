//! Elements as bytes in C order, little-endian: all of a `.bin` file, and a `.npy` file behind its header.

use std::borrow::Cow;
use std::io::{self, BufWriter, Write};
use std::sync::mpsc;
use std::thread;

use swath::model::{Limits, Region};
use swath::{DynArray, Session};

use super::PartFile;
use crate::failure::{Failure, Result};
use crate::open::Chosen;
use crate::progress::Progress;
use crate::slabs::{self, Slabs};
use crate::stats::Totals;

/// Writes a header and then the elements.
pub(crate) fn write(session: &Session, chosen: &Chosen, file: &PartFile, header: &[u8], totals: &mut Totals) -> Result<()> {
    file.write_at(header, 0).map_err(|e| file.failure(&e))?;
    let written = match chosen.array.data_type().size() {
        Some(element) => fixed(session, chosen, file, header.len() as u64, element as u64, totals)?,
        None => variable(session, chosen, file, totals)?,
    };
    totals.output_bytes = written + header.len() as u64;
    Ok(())
}

/// Elements of one length, each slab at its place: one is written while the next is read.
fn fixed(session: &Session, chosen: &Chosen, file: &PartFile, start: u64, element: u64, totals: &mut Totals) -> Result<u64> {
    let (array, region) = (&chosen.array, &chosen.region);
    let bytes = region.shape().iter().try_fold(element, |n, m| n.checked_mul(*m)).unwrap_or(u64::MAX);
    Limits::check("max_output_bytes", bytes, session.limits().max_output_bytes)?;
    file.file().set_len(start.saturating_add(bytes)).map_err(|e| file.failure(&e))?;
    let zero_fill = array.meta().fill_value.is_zero();
    let mut progress = Progress::new(region.len());
    let (send, receive) = mpsc::sync_channel::<(Region, DynArray)>(0);
    thread::scope(|scope| {
        let place = move || -> io::Result<()> {
            for (slab, values) in receive {
                place(file, start, region, &slab, element, &values)?;
            }
            Ok(())
        };
        let writer = thread::Builder::new().name("swath-write".into()).spawn_scoped(scope, place)?;
        let mut read = || -> Result<()> {
            for slab in Slabs::new(&array.meta().grid, region.clone(), element, slabs::BUDGET) {
                let (values, stats) = session.block_on(array.read_dyn_with_stats(&slab))?;
                totals.add(&stats);
                progress.add(slab.len());
                // The file is zeros (and a hole) until something is written.
                let nothing = zero_fill && stats.absent == stats.chunks;
                if !nothing && send.send((slab, values)).is_err() {
                    break; // the writer has failed, and says why below
                }
            }
            Ok(())
        };
        let read = read();
        drop(send);
        let written = writer.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        read?;
        written.map_err(|e| file.failure(&e))
    })?;
    Ok(bytes)
}

fn place(file: &PartFile, start: u64, region: &Region, slab: &Region, element: u64, values: &DynArray) -> io::Result<()> {
    let bytes = match values.bytes() {
        Some(bytes) if cfg!(target_endian = "little") => Cow::Borrowed(bytes),
        _ => Cow::Owned(values.clone().into_little_endian()),
    };
    let (length, places) = slabs::runs(region, slab, element);
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    for (run, at) in bytes.chunks_exact(length.max(1)).zip(places) {
        file.write_at(run, start.saturating_add(at))?;
    }
    Ok(())
}

/// Elements that differ in length, one behind the other: each its length in 32 bits, then its bytes.
fn variable(session: &Session, chosen: &Chosen, file: &PartFile, totals: &mut Totals) -> Result<u64> {
    let (array, region) = (&chosen.array, &chosen.region);
    let mut progress = Progress::new(region.len());
    let mut out = BufWriter::with_capacity(1 << 20, file.file());
    let mut written = 0_u64;
    for slab in Slabs::new(&array.meta().grid, region.clone(), slabs::TYPICAL_TEXT, slabs::BUDGET).in_order() {
        let (values, stats) = session.block_on(array.read_dyn_with_stats(&slab))?;
        totals.add(&stats);
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
