//! `swath plan`: what a read would fetch.

use std::io::{self, BufWriter, Write};

use serde_json::{Value, json};
use swath::model::Consistency;
use swath::{ReadPlan, Request, Session};

use crate::args::{Access, Selectors};
use crate::failure::Result;
use crate::open::{self, Chosen, Counted};
use crate::slabs::{self, Slabs};

/// Requests listed; what is more is counted.
const MOST_ROWS: usize = 50;

pub(crate) fn run(url: &str, selectors: &Selectors, json: bool, access: &Access) -> Result<()> {
    let session = open::session(access, url)?;
    let chosen = open::choose(&session, url, selectors, Counted::Numbers)?;
    let plan = whole(&session, &chosen, slabs::BUDGET)?;
    let mut out = BufWriter::new(io::stdout().lock());
    if json {
        writeln!(out, "{:#}", as_json(&plan, chosen.array.consistency()))?;
    } else {
        print(&mut out, &plan, chosen.array.consistency())?;
    }
    Ok(out.flush()?)
}

/// The plans of all the slabs that `read` goes by, as one.
pub(crate) fn whole(session: &Session, chosen: &Chosen, budget: u64) -> Result<ReadPlan> {
    let array = &chosen.array;
    let mut all: Option<ReadPlan> = None;
    for slab in chosen.parts().into_iter().flat_map(|part| Slabs::of(array, part, budget)) {
        let plan = session.block_on(array.plan(&slab))?;
        match &mut all {
            Some(all) => all.add(plan),
            None => all = Some(plan),
        }
    }
    let mut plan = match all {
        Some(plan) => plan,
        None => session.block_on(array.plan(&chosen.region))?,
    };
    plan.region = chosen.written(&chosen.region);
    if let (Some(_), Some(element)) = (&chosen.pairs, array.data_type().size()) {
        // Half of the elements at the ends of its rows may be left out.
        plan.output_bytes = chosen.shape().iter().fold(element as u64 / 2, |n, m| n.saturating_mul(*m));
    }
    Ok(plan)
}

fn print(out: &mut impl Write, plan: &ReadPlan, consistency: Consistency) -> io::Result<()> {
    writeln!(out, "{plan}")?;
    writeln!(out, "consistency {consistency}")?;
    if plan.page_requests > 0 {
        writeln!(out, "found by {} request{} for pages of the chunk table", plan.page_requests, if plan.page_requests == 1 { "" } else { "s" })?;
    }
    let rows: Vec<[String; 3]> = plan.requests.iter().take(MOST_ROWS).map(row).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let (chunks, range) = (width(0).max(6), width(1).max(5));
    if !rows.is_empty() {
        writeln!(out, "{:>chunks$}  {:<range$}  object", "chunks", "bytes")?;
    }
    for [count, bytes, object] in &rows {
        writeln!(out, "{count:>chunks$}  {bytes:<range$}  {object}")?;
    }
    if plan.requests.len() > MOST_ROWS {
        writeln!(out, "… {} more", plan.requests.len() - MOST_ROWS)?;
    }
    Ok(())
}

fn row(request: &Request) -> [String; 3] {
    let range = match request.length {
        Some(length) => format!("{}-{}", request.start, request.start.saturating_add(length).saturating_sub(1)),
        None => "all".to_owned(),
    };
    [request.chunks.to_string(), range, request.object.to_string()]
}

fn as_json(plan: &ReadPlan, consistency: Consistency) -> Value {
    let request = |r: &Request| json!({ "object": r.object.to_string(), "start": r.start, "length": r.length, "chunks": r.chunks });
    json!({
        "region": plan.region.to_string(),
        "chunks": plan.chunks,
        "absent": plan.absent,
        "cached": plan.cached,
        "bytes": plan.bytes,
        "bytes_at_most": plan.bytes_at_most,
        "exact": plan.exact,
        "output_bytes": plan.output_bytes,
        "page_requests": plan.page_requests,
        "page_bytes": plan.page_bytes,
        "consistency": consistency.to_string(),
        "requests": plan.requests.iter().map(request).collect::<Vec<_>>(),
    })
}
