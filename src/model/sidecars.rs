//! Which files beside an opened one are looked at.

/// Where the files beside an opened one are looked for: its overviews, mask and metadata, where they are in files of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Sidecars {
    /// Beside local files, where looking costs no request.
    #[default]
    Local,
    /// In every store: a request each, all at once, when a file is opened.
    Always,
    /// Nowhere.
    Never,
}
