//! The command line as plain values.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use swath::model::Selection;

/// Reads Cloud Optimized GeoTIFF and Zarr.
///
/// A URL is a local path, file://, http(s)://, s3://, gs:// or az://; what it is, is decided by its content.
#[derive(Parser)]
#[command(name = "swath", version, arg_required_else_help = false)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// What it is: arrays, levels, chunks, type, codecs, CRS, transform, nodata, and the requests it took
    Info {
        /// The dataset
        url: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        access: Access,
    },
    /// What a read would fetch: chunks, requests, bytes; fetches no pixel
    Plan {
        /// The dataset
        url: String,
        #[command(flatten)]
        selectors: Selectors,
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        access: Access,
    },
    /// Reads an array or a region of it into a file
    Read {
        /// The dataset
        url: String,
        #[command(flatten)]
        selectors: Selectors,
        #[command(flatten)]
        what: What,
        /// The file to write: .npy, .bin (C order, little-endian) or .png
        #[arg(short, long, value_name = "OUT")]
        output: PathBuf,
        /// Print what the read cost on standard error, as JSON
        #[arg(long)]
        stats: bool,
        #[command(flatten)]
        access: Access,
    },
    /// Reads and throws away, some times over, and says how fast each stage was
    ///
    /// No chunk is kept from round to round. GB/s are 10^9 bytes of decoded output a second; each number is the median of the rounds.
    /// A large region is read in parts of up to 256 MiB, one after the other.
    Bench {
        /// The dataset
        url: String,
        #[command(flatten)]
        selectors: Selectors,
        /// How many times it is read
        #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=10_000))]
        rounds: u32,
        /// Threads that decode [default: one a core]
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=4096))]
        threads: Option<u16>,
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        access: Access,
    },
}

/// What is written of each element.
#[derive(Args, Clone, Copy, Default)]
pub(crate) struct What {
    /// Write quantities, stored * scale + offset, as float32 (float64 where more than 16 bits are stored); nan where not valid
    #[arg(long, conflicts_with = "mask")]
    pub(crate) scaled: bool,
    /// Write which elements are valid, 1 or 0, by the mask, nodata, alpha and nan
    #[arg(long)]
    pub(crate) mask: bool,
}

/// Which array, and which part of it.
#[derive(Args, Default)]
pub(crate) struct Selectors {
    /// Zarr: the array's path from the opened root, without a leading slash; '' is the root itself
    #[arg(long, value_name = "NAME")]
    pub(crate) array: Option<String>,
    /// TIFF: the level, 0 is full resolution
    #[arg(long, value_name = "N", conflicts_with = "ifd")]
    pub(crate) level: Option<usize>,
    /// TIFF: a directory, counted from 0 along the chain; 1.2 is the third sub-directory of the second
    #[arg(long, value_name = "N", value_parser = directory_path)]
    pub(crate) ifd: Option<String>,
    /// An index (kept as a length of 1) or a half-open range for each dimension: 0,2048:4096,:
    ///
    /// Complex integers are written as plain integers, (re, im) along the last dimension, where a range then counts these numbers:
    /// two for each element. For --scaled, --mask and .png it counts elements.
    #[arg(long, value_name = "RANGES", value_parser = Selection::parse)]
    pub(crate) region: Option<Selection>,
    /// TIFF: the pixels that these bounds touch, in units of the CRS: least x, least y, greatest x, greatest y
    #[arg(long, value_name = "X0,Y0,X1,Y1", value_parser = bounds, allow_hyphen_values = true, conflicts_with_all = ["region", "ifd"])]
    pub(crate) bounds: Option<Bounds>,
    /// These bands (indexes of the first dimension, from 0) in this order: 3,0
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub(crate) bands: Option<Vec<u64>>,
}

/// Least x, least y, greatest x, greatest y.
pub(crate) type Bounds = [f64; 4];

/// How the store is reached; credentials come from the stores' usual environment variables.
#[derive(Args)]
pub(crate) struct Access {
    /// A header to send with every HTTP request; may be given more than once
    #[arg(long = "header", value_name = "K: V")]
    pub(crate) headers: Vec<String>,
    /// Do not sign requests
    #[arg(long)]
    pub(crate) anon: bool,
    /// Sign requests to Azure Blob Storage by tokens of this provider; a subscription key is taken from SWATH_SUBSCRIPTION_KEY
    #[arg(long, value_name = "PROVIDER", value_enum, conflicts_with = "anon")]
    pub(crate) sign: Option<Provider>,
    /// Sign requests to Azure Blob Storage by tokens from this URL, with {account} and {container}, or {collection}, in it
    #[arg(long, value_name = "TEMPLATE", conflicts_with_all = ["sign", "anon"])]
    pub(crate) token_endpoint: Option<String>,
    /// What {collection} in the token endpoint's URL stands for
    #[arg(long, value_name = "NAME", requires = "token_endpoint")]
    pub(crate) collection: Option<String>,
    /// Sign requests to the URL's host by the shared access signature in the environment variable SWATH_SAS_TOKEN
    #[arg(long, conflicts_with_all = ["sign", "token_endpoint", "anon"])]
    pub(crate) sas_token: bool,
    /// Give up an opening, or a part of the output, that takes longer than this
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) deadline: Option<Duration>,
    /// Read a dataset that was replaced after it was opened as it is now, instead of failing
    #[arg(long)]
    pub(crate) reopen: bool,
    /// Send a request a second time where its answer is later than most of its host's
    #[arg(long)]
    pub(crate) hedge: bool,
    /// Look for a TIFF's .ovr, .msk and .aux.xml in stores too: four more requests
    #[arg(long)]
    pub(crate) sidecars: bool,
    /// Keep what comes over the network in this folder, for other runs too
    #[arg(long, value_name = "DIR")]
    pub(crate) cache: Option<PathBuf>,
    /// The most bytes of that folder [default: 4 GiB]
    #[arg(long, value_name = "N", requires = "cache")]
    pub(crate) cache_bytes: Option<u64>,
}

/// Who hands out tokens.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Provider {
    /// planetarycomputer.microsoft.com
    PlanetaryComputer,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().and_then(|n| Duration::try_from_secs_f64(n).ok());
    seconds.ok_or_else(|| "a number of seconds: 30, or 0.5".to_owned())
}

fn bounds(text: &str) -> Result<Bounds, String> {
    let numbers: Result<Vec<f64>, _> = text.split(',').map(|n| n.trim().parse()).collect();
    numbers.ok().and_then(|n| n.try_into().ok()).ok_or_else(|| "bounds are four numbers: x0,y0,x1,y1".to_owned())
}

/// Holds the text to the form of a directory's path.
fn directory_path(text: &str) -> Result<String, String> {
    let numbers = text.split('.').all(|part| part.parse::<u32>().is_ok());
    if numbers { Ok(text.to_owned()) } else { Err("a directory is a number, or numbers with dots between".to_owned()) }
}
