//! Files beside a TIFF, by GDAL's names: overviews, masks and metadata that were written later, or could not be written into it.

use std::sync::Arc;

use futures_util::future::join_all;

use crate::engine::Session;
use crate::error::{Error, Result};
use crate::format::tiff::{TiffFile, TiffParser};
use crate::geo::AuxiliaryMetadata;
use crate::io::Counters;
use crate::model::{Got, ObjectKey, Sidecars, Want};

/// What a sidecar holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SidecarKind {
    /// `.ovr`: a TIFF of overviews. It counts where the file has none.
    Overviews,
    /// `.msk`: a TIFF with the mask. It counts where the file has none.
    Mask,
    /// `.msk.ovr`: a TIFF of overviews of the mask.
    MaskOverviews,
    /// `.aux.xml`: statistics, nodata, descriptions, where the pixels are. It goes before what the file says.
    Metadata,
}

impl SidecarKind {
    const ALL: [Self; 4] = [Self::Overviews, Self::Mask, Self::MaskOverviews, Self::Metadata];

    /// What stands behind the whole name of the file.
    #[must_use]
    pub fn suffix(self) -> &'static str {
        match self {
            Self::Overviews => ".ovr",
            Self::Mask => ".msk",
            Self::MaskOverviews => ".msk.ovr",
            Self::Metadata => ".aux.xml",
        }
    }
}

/// A sidecar that was found.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Sidecar {
    /// What it holds.
    pub kind: SidecarKind,
    /// Where it is.
    pub object: ObjectKey,
    /// Why it is left out, where it cannot be read. The file itself is as good without it.
    pub error: Option<Error>,
}

/// What the sidecars of a file hold.
#[derive(Debug, Default)]
pub(crate) struct Beside {
    pub(crate) found: Vec<Sidecar>,
    pub(crate) overviews: Option<Arc<TiffFile>>,
    pub(crate) mask: Option<Arc<TiffFile>>,
    pub(crate) mask_overviews: Option<Arc<TiffFile>>,
    pub(crate) metadata: AuxiliaryMetadata,
}

enum Content {
    Tiff(TiffFile),
    Metadata(AuxiliaryMetadata),
}

impl Session {
    /// Looks for the sidecars of a file, where the options say so.
    pub(crate) async fn sidecars(&self, object: &ObjectKey, counters: &Arc<Counters>) -> Beside {
        let looked_for = |key: &ObjectKey| match self.inner.sidecars {
            Sidecars::Local => self.inner.io.is_local_file(key),
            Sidecars::Always => true,
            Sidecars::Never => false,
        };
        let named = |kind: SidecarKind| (kind, ObjectKey::new(format!("{}{}", object.url(), kind.suffix())));
        let candidates = SidecarKind::ALL.map(named).into_iter().filter(|(_, key)| looked_for(key));
        let reads = candidates.map(|(kind, key)| async move {
            let content = self.sidecar(kind, &key, counters).await;
            (kind, key, content)
        });
        let mut beside = Beside::default();
        for (kind, object, content) in join_all(reads).await {
            let error = match content {
                Ok(content) => {
                    beside.take(kind, content);
                    None
                }
                Err(e) if e.is_not_found() => continue,
                Err(e) => Some(e.in_object(object.url())),
            };
            beside.found.push(Sidecar { kind, object, error });
        }
        beside
    }

    async fn sidecar(&self, kind: SidecarKind, object: &ObjectKey, counters: &Arc<Counters>) -> Result<Content> {
        let limits = &self.inner.limits;
        if kind != SidecarKind::Metadata {
            return self.drive(TiffParser::new(object.clone(), limits), counters).await.map(Content::Tiff);
        }
        let want = Want::Whole { object: object.clone(), most: limits.max_tag_bytes };
        match self.get(&want, counters).await? {
            Got::Bytes { bytes, .. } => Ok(Content::Metadata(AuxiliaryMetadata::parse(&String::from_utf8_lossy(&bytes)))),
            _ => Err(Error::not_found(object.url())),
        }
    }
}

impl Beside {
    fn take(&mut self, kind: SidecarKind, content: Content) {
        match (kind, content) {
            (_, Content::Metadata(metadata)) => self.metadata = metadata,
            (SidecarKind::Overviews, Content::Tiff(file)) => self.overviews = Some(Arc::new(file)),
            (SidecarKind::Mask, Content::Tiff(file)) => self.mask = Some(Arc::new(file)),
            (_, Content::Tiff(file)) => self.mask_overviews = Some(Arc::new(file)),
        }
    }
}
