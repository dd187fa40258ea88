export { buildFakeLibraries, type FakeLibraries } from "./build.js";
export { FakeDriver, type FakeSettings, type FakeStatistics } from "./fake-driver.js";
export { PtxError } from "./ptx/ptx-error.js";
export { translate } from "./translate.js";
export { type Fetch, fetchWheels, type Wheels } from "./wheels.js";
