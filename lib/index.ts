export { type ErrorCode, ExitCode, SsdPruneError } from './errors';
