import { invalidArgument, SsdPruneError } from '../errors';
import { describeGpu } from '../machine';
import { runtimeFile } from './runtime';

export type DeviceChoice = 'auto' | 'cuda' | 'cpu';
export type Device = 'cuda' | 'cpu';

/** What trying a provider of ONNX Runtime in a process of its own has shown. */
export interface ProviderProbe {
  works: boolean;
  /** The shared library that could not be loaded, where the loader named one: `libcublasLt.so.13`. */
  missingLibrary?: string;
  /** Why it does not work, in one line; empty where it works. */
  reason: string;
}

/**
 * A model of one 1x1 convolution, `x` (1,1,2,2) times 2: enough to load CUDA's and cuDNN's libraries and to find out
 * whether they have code for this GPU.
 */
const probeModel =
  'CAcSADpnCg8KAXgKAXcSAXkiBENvbnYSBXByb2JlKhMIAQgBCAEIARABIgQAAABAQgF3WhsKAXgSFgoUCAESEAoCCAEKAggBCgIIAgoCCAJiGwoBeRIWChQIARIQCgIIAQoCCAEKAggCCgIIAkIECgAQDQ==';

const probeScript = `
(async () => {
  const ort = require(process.env.SSD_PRUNE_RUNTIME || 'onnxruntime-node');
  const model = Buffer.from('${probeModel}', 'base64');
  const session = await ort.InferenceSession.create(model, { executionProviders: [process.argv[1]] });
  const x = new ort.Tensor('float32', Float32Array.of(1, 2, 3, 4), [1, 1, 2, 2]);
  const { y } = await session.run({ x });
  if ([...y.data].join() !== '2,4,6,8') throw new Error('a convolution gave ' + [...y.data].join());
  await session.release();
})().catch((error) => { console.error('PROBE ' + error.message); process.exitCode = 1; });
`;

const probes = new Map<Device, Promise<ProviderProbe>>();

/**
 * Tries a provider by running a convolution in a child process: a library that is missing is named on that process's
 * stderr only, a GPU library that crashes takes nothing with it, and what ONNX Runtime lists as supported says
 * nothing. Each provider is tried once; the answer is kept.
 */
export function probeProvider(provider: Device): Promise<ProviderProbe> {
  let probe = probes.get(provider);
  if (!probe) {
    probe = runProbe(provider);
    probes.set(provider, probe);
  }
  return probe;
}

function runProbe(provider: Device): Promise<ProviderProbe> {
  const { execFile } = require('node:child_process') as typeof import('node:child_process');
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      ['-e', probeScript, provider],
      // In this package's folder, so that the child finds the same runtime as `require` does here.
      { cwd: __dirname, env: { ...process.env, ORT_DISABLE_TELEMETRY: '1', NODE_OPTIONS: '' }, timeout: 60_000 },
      (error, _stdout, stderr) => resolve(error ? explainFailure(stderr, error) : { works: true, reason: '' }),
    );
  });
}

/** Reads the loader's complaint out of what a failed probe wrote. Exported for the tests. */
export function explainFailure(stderr: string, error: { signal?: unknown; killed?: boolean }): ProviderProbe {
  const missingLibrary =
    stderr.match(/([\w.+-]+\.so[\w.]*): cannot open shared object file/)?.[1] ??
    stderr.match(/([\w.+-]+\.dll)["']? which is missing/)?.[1];
  if (missingLibrary) return { works: false, missingLibrary, reason: `${missingLibrary} is missing` };
  if (error.killed) return { works: false, reason: 'the trial did not end within 60 s' };
  if (error.signal) return { works: false, reason: `the trial process died of ${String(error.signal)}` };
  const line = stderr.match(/^PROBE (.*)$/m)?.[1] ?? stderr.trim().split('\n').at(-1) ?? '';
  return { works: false, reason: line || 'the trial process failed without a word' };
}

/** What to do about a CUDA that does not work, in one or two lines. */
export function cudaRepair({ missingLibrary }: ProviderProbe): string {
  if (missingLibrary?.startsWith('libonnxruntime_providers')) {
    return (
      // Not npm rebuild: npm runs no script of a package that allowScripts, or its own default, forbids, and says nothing.
      'The CUDA part of onnxruntime-node was not downloaded. Run `ONNXRUNTIME_NODE_INSTALL=true node ' +
      'node_modules/onnxruntime-node/script/install.js`, or lay libonnxruntime_providers_{shared,cuda}.so of the same version beside libonnxruntime.so.1.'
    );
  }
  if (missingLibrary) {
    const major = missingLibrary.match(/\.so\.(\d+)$/)?.[1];
    const what = missingLibrary.includes('cudnn') ? 'cuDNN' : 'the CUDA runtime';
    return `Install ${what}${major ? ` that has ${missingLibrary} (major version ${major})` : ''} and put its folder on LD_LIBRARY_PATH.`;
  }
  return 'Check the driver with `nvidia-smi`, and that CUDA and cuDNN are of the versions this onnxruntime-node was built for.';
}

/**
 * The device to run on. `cpu` asks nothing; `cuda` must work; `auto` takes CUDA where it works.
 * @returns the device, and for `auto` on the CPU of a machine with a GPU a note why it is not CUDA
 * @throws {SsdPruneError} ERR_USAGE for another device; ERR_NO_CUDA where CUDA was asked for and does not work
 */
export async function chooseDevice(choice: DeviceChoice): Promise<{ device: Device; note?: string }> {
  if (!['auto', 'cuda', 'cpu'].includes(choice)) throw invalidArgument('device', 'auto, cuda or cpu', choice);
  if (choice === 'cpu') return { device: 'cpu' };
  // Without a runtime there is nothing to try; loading it will say how to repair that.
  if (runtimeFile() === undefined) return { device: choice === 'cuda' ? 'cuda' : 'cpu' };
  const probe = await probeProvider('cuda');
  if (probe.works) return { device: 'cuda' };
  if (choice === 'cuda') {
    throw new SsdPruneError('ERR_NO_CUDA', `CUDA does not work here: ${probe.reason}. ${cudaRepair(probe)}`);
  }
  // Without a GPU there is nothing amiss.
  if (!(await describeGpu())) return { device: 'cpu' };
  return { device: 'cpu', note: `Running on the CPU: CUDA does not work here (${probe.reason}).` };
}
