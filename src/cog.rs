//! cog
