//! The answer of a token endpoint.
#![no_main]
swath_fuzz::target!(token_answer);
