import path from 'node:path';
import { cudaRepair, probeProvider } from '../evaluate/providers';
import { runtimeModule, runtimeRepair, runtimeVersion } from '../evaluate/runtime';
import { describeGpu, describeMachine, type Machine } from '../machine';
import { packageRoot } from '../native/addon';
import { findAddon, probe } from './probe';

/** One thing that this package uses. */
export interface Check {
  name: 'node' | 'addon' | 'runtime' | 'cuda' | 'pictures' | 'compiler';
  ok: boolean;
  /** Nothing works without it. */
  essential: boolean;
  /** What was found, or what is wrong, in a line or a few. */
  found: string;
  /** What to do about it; null where nothing needs doing. */
  repair: string | null;
  details: Record<string, unknown>;
}

/** What `doctor --json` prints. */
export interface DoctorReport {
  schema: 'ssd-prune.doctor/1';
  version: string;
  /** Where the package lies. */
  folder: string;
  machine: Machine;
  /** Whether everything essential is there. */
  ok: boolean;
  checks: Check[];
}

/**
 * Looks at what this machine has of what the package uses. Everything that may be missing or crash is tried in a child
 * process, so this works without the addon and without ONNX Runtime.
 */
export async function examineMachine(): Promise<DoctorReport> {
  const manifest = require(path.join(packageRoot, 'package.json')) as { version: string; engines: { node: string } };
  const checks = await Promise.all([
    checkNode(manifest.engines.node),
    checkAddon(),
    checkRuntime(),
    checkCuda(),
    checkPictures(),
    checkCompiler(),
  ]);
  return {
    schema: 'ssd-prune.doctor/1',
    version: manifest.version,
    folder: packageRoot,
    machine: describeMachine(),
    ok: checks.every(({ ok, essential }) => ok || !essential),
    checks,
  };
}

/** `wanted` is the least version, as in `>=20.19`. */
function checkNode(wanted: string): Check {
  const found = process.versions.node;
  const least = wanted.replace(/^>=/, '');
  const [[major, minor], [leastMajor, leastMinor]] = [found, least].map((text) => text.split('.').map(Number)) as [
    number[],
    number[],
  ];
  const ok = major! > leastMajor! || (major === leastMajor && minor! >= (leastMinor ?? 0));
  const repair = ok ? null : `Install Node ${least} or newer.`;
  return { name: 'node', ok, essential: true, found, repair, details: { version: found, wanted } };
}

async function checkAddon(): Promise<Check> {
  const { found, tried } = await findAddon();
  const common = { name: 'addon', essential: true } as const;
  if (!found) {
    const repair = '`npx ssd-prune build` compiles it (needs a C++20 compiler, CMake and make).';
    return { ...common, ok: false, found: `none works:\n${tried.join('\n')}`, repair, details: { tried } };
  }
  const threads = Number(process.env.SSD_PRUNE_THREADS) || describeMachine().cores;
  const { file, instructionSets, bfloat16 } = found;
  const runs = bfloat16 ? `${instructionSets.join(', ')}, bf16` : instructionSets.join(', ');
  return {
    ...common,
    ok: true,
    found: `${runs}; ${threads} threads (${file})`,
    repair: null,
    details: { file, instructionSets, bfloat16, threads },
  };
}

async function checkRuntime(): Promise<Check> {
  const version = runtimeVersion() ?? null;
  const common = { name: 'runtime', essential: true, details: { module: runtimeModule(), version } } as const;
  const trial = await probeProvider('cpu');
  if (trial.works) return { ...common, ok: true, found: version ?? 'of unknown version', repair: null };
  const found = `${version === null ? '' : `${version} `}does not work: ${trial.reason}`;
  return { ...common, ok: false, found, repair: runtimeRepair() };
}

async function checkCuda(): Promise<Check> {
  const gpu = await describeGpu();
  const common = { name: 'cuda', essential: false } as const;
  const device = gpu ? `${gpu.name}, driver ${gpu.driver}` : 'no NVIDIA GPU (by nvidia-smi)';
  if (runtimeVersion() === undefined) {
    const found = `${device}; not tried without ONNX Runtime`;
    return { ...common, ok: false, found, repair: 'Install ONNX Runtime first.', details: { gpu } };
  }
  const trial = await probeProvider('cuda');
  if (trial.works) return { ...common, ok: true, found: device, repair: null, details: { gpu } };
  const details = { gpu, missingLibrary: trial.missingLibrary ?? null, reason: trial.reason };
  return { ...common, ok: false, found: `${trial.reason}; ${device}`, repair: cudaRepair(trial), details };
}

async function checkPictures(): Promise<Check> {
  const common = { name: 'pictures', essential: false } as const;
  type Versions = { sharp: string; vips: string };
  const result = await probe<Versions>('console.log(JSON.stringify(require("sharp").versions))');
  if ('value' in result) {
    const { sharp, vips } = result.value;
    return { ...common, ok: true, found: `sharp ${sharp}, libvips ${vips}`, repair: null, details: { sharp, vips } };
  }
  const repair = `\`npm install --os=${process.platform} --cpu=${process.arch} sharp\` (eval and detect need it).`;
  return { ...common, ok: false, found: `sharp does not load: ${result.reason}`, repair, details: {} };
}

/** What `build` needs, as scripts/toolchain.js, which also works where nothing is compiled, sees it. */
async function checkCompiler(): Promise<Check> {
  const script = 'console.log(JSON.stringify(require("./scripts/toolchain.js").describeMissing() ?? null))';
  const result = await probe<string | null>(script);
  const common = { name: 'compiler', essential: false, details: {} } as const;
  if (!('value' in result)) return { ...common, ok: false, found: result.reason, repair: 'Install the package again.' };
  if (result.value === null) {
    return { ...common, ok: true, found: 'CMake, make and a C++20 compiler', repair: null };
  }
  const [found, ...ways] = result.value.split('\n');
  return { ...common, ok: false, found: found!, repair: ways.map((line) => line.trim()).join('\n') };
}
