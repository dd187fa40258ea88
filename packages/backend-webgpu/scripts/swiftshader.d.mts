/** Environment in which a new process finds SwiftShader as its only Vulkan driver; empty on the machine's own adapter. */
export function swiftShaderEnvironment(): Record<string, string>;
