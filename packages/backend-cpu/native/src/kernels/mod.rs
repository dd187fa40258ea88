//! Fused bodies of the kernel contracts.
