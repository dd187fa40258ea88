//! Bodies of stock tfjs operations.
