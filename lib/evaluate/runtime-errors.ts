import { type ErrorCode, SsdPruneError } from '../errors';

/** An error as it comes from a thread: classes are lost on the way. */
export interface ThreadError {
  message: string;
  /** Of an {@link SsdPruneError}. */
  code?: string;
  /** Its class and where it came from, where neither this package nor ONNX Runtime threw it on purpose. */
  fault?: string;
}

/** An error for {@link fromThread}. */
export function describeError(error: unknown): ThreadError {
  if (!(error instanceof Error)) return { message: String(error) };
  const { message, name } = error;
  if (error instanceof SsdPruneError) return { message, code: error.code };
  // ONNX Runtime's own are plain errors; a TypeError is ours, or an argument that we should not have given it.
  return name === 'Error' ? { message } : { message: `${name}: ${message}`, fault: error.stack ?? '' };
}

/**
 * What a thread that runs ONNX Runtime said, as an error of this package that names the model.
 * @param model what errors call the model
 * @param loading whether the thread could not begin
 * @param memoryAdvice what to do where memory ran out
 */
export function fromThread(
  model: string,
  { message, code, fault }: ThreadError,
  loading: boolean,
  memoryAdvice?: string,
): SsdPruneError {
  if (code) return new SsdPruneError(code as ErrorCode, message);
  const text = message.trim().replace(/^Load model from .*? failed:/, '');
  if (/allocat|out of memory|bad_alloc|heap/i.test(text)) {
    const advice = memoryAdvice === undefined ? '' : ` ${memoryAdvice}`;
    return new SsdPruneError('ERR_INTERNAL', `${model}: memory ran out (${text}).${advice}`);
  }
  if (fault !== undefined) {
    const cause = Object.assign(new Error(message), { stack: fault });
    return new SsdPruneError('ERR_INTERNAL', `${model}: a fault in the thread that runs it: ${text}`, { cause });
  }
  if (/NOT_IMPLEMENTED|Could not find an implementation|not a registered function\/op|opset \d+ is under/i.test(text)) {
    return new SsdPruneError('ERR_UNSUPPORTED_OP', `${model}: ONNX Runtime cannot run this model: ${text}`);
  }
  if (
    !loading &&
    /input|feeds|dimension.* for input|invalid (rank|dimension)/i.test(text) &&
    !/running .* node/.test(text)
  ) {
    return new SsdPruneError('ERR_USAGE', `${model}: the input does not fit the model: ${text}`);
  }
  const what = loading ? 'ONNX Runtime cannot load this model' : 'ONNX Runtime failed while running this model';
  return new SsdPruneError('ERR_BAD_MODEL', `${model}: ${what}: ${text}`);
}
