//! The engine: plan, fetch, decode, place. It knows no format.

mod array;
mod call;
mod decode;
mod direct;
mod element;
mod meaning;
mod options;
mod output;
mod pages;
mod plan;
mod pool;
mod run;
mod session;
pub(crate) mod sink;
mod stats;
mod text;
mod write;

pub use element::{Element, Float};
pub use options::{OnChange, ReadOptions};
pub use output::DynArray;
pub use plan::{ReadPlan, Request};
pub use session::{Session, SessionBuilder, SessionOptions};
pub use stats::ReadStats;

pub(crate) use array::ArrayInner;
pub(crate) use call::{Call, Memory};
pub(crate) use decode::{Sink, with_scratch};
pub(crate) use element::converter;
pub(crate) use meaning::Meaning;
pub(crate) use output::{array, output_bytes, wrong_type};
pub(crate) use plan::{Planned, plan};
pub(crate) use run::{AbortOnDrop, Reader, read, read_chunk, spawn};
pub(crate) use sink::{FixedSink, Rule};
pub(crate) use stats::human_bytes;
pub(crate) use text::TextSink;
pub(crate) use write::Target;
