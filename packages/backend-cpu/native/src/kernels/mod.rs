//! Fused bodies of the kernel contracts.
//!
//! The bodies are plain functions on slices; `exports` checks what JavaScript hands in and calls them.

pub mod activation;
mod attention;
mod decoder_block;
mod direction;
mod dropout;
mod exports;
mod linear;
mod moments;
mod norm;
pub mod quantised;
mod rotary;
mod rows;
pub mod support;
mod tile;
mod update;
pub(crate) mod vector;
mod vocabulary;
