/**
 * ssd-prune for Node pipelines: what the commands do, as functions. Every function rejects or throws
 * {@link SsdPruneError}, whose `code` is stable; long ones take an `AbortSignal` and end with `ERR_ABORTED`. Nothing
 * here writes to stdout or stderr. A module is loaded when something of it is first used (scripts/esm.js sees to that).
 * @packageDocumentation
 */

export type { BenchedModel, BenchOptions, BenchReport, BenchResult } from './bench/bench';
export { benchModels } from './bench/bench';
export type { LatencyMeasurement, LatencyOptions, LatencySeries, TimedModel } from './bench/latency';
export { measureLatency } from './bench/latency';
export { renderBenchReport } from './bench/table';
export type { Dataset, OpenDatasetOptions, Sample } from './data/dataset';
export { limitDataset, openDataset } from './data/dataset';
export type { BuildReport } from './doctor/build-addon';
export { buildAddon } from './doctor/build-addon';
export type { Check, DoctorReport } from './doctor/doctor';
export { examineMachine } from './doctor/doctor';
export { renderDoctorReport } from './doctor/table';
export { type ErrorCode, ExitCode, errorCodes, SsdPruneError } from './errors';
export type { DetectedBox, DetectedPicture, DetectFilesOptions } from './evaluate/detect';
export { detectFiles, listPictures } from './evaluate/detect';
export type { DetectionSet } from './evaluate/detections';
export { drawDetections } from './evaluate/draw';
export type { DatasetDetections, DetectDatasetOptions } from './evaluate/evaluate';
export { detectDataset, evaluateModel } from './evaluate/evaluate';
export type { ApVersion, ClassResult, EvalResult, EvaluateOptions, Protocol } from './evaluate/mean-ap';
export { evaluateDetections } from './evaluate/mean-ap';
export type { PictureDetections, PipelineOptions } from './evaluate/pipeline';
export { detectPictures } from './evaluate/pipeline';
export type { Device, DeviceChoice } from './evaluate/providers';
export type { EvalReport } from './evaluate/report';
export { evalReport, renderEvalReport } from './evaluate/report';
export { readDetections, writeDetections } from './evaluate/results';
export type { Feeds, SessionOptions, TimedOutputs, ValueInfo } from './evaluate/session';
export { DetectorSession } from './evaluate/session';
export type { Machine } from './machine';
export { readClassNames, vocClasses } from './model/class-names';
export type { DetectorSettings } from './model/detector';
export { readDetectorSettings } from './model/detector';
export type { MobileNetV1SsdOptions } from './model/mobilenet-v1-ssd';
export { buildMobileNetV1Ssd } from './model/mobilenet-v1-ssd';
export { OnnxModel } from './model/onnx-model';
export type { Parameter } from './model/parameters';
export { listParameters } from './model/parameters';
export { decodeModel, readModel } from './model/read';
export type { WriteOptions } from './model/write';
export { encodeModel, writeModel } from './model/write';
export type { CutResult, CutTensor } from './prune/cut';
export type { Allocation, PruneCriterion, PruneOptions } from './prune/options';
export { pruneCriteria } from './prune/options';
export type { ParameterList, ParameterRow } from './prune/parameter-list';
export { describeParameters } from './prune/parameter-list';
export type { PrunePlan } from './prune/prune';
export { Pruner } from './prune/prune';
export type { PruneFileOptions, PruneStage } from './prune/prune-file';
export { openPruner, pruneFile } from './prune/prune-file';
export { renderPruneReport } from './prune/prune-table';
export type { CountChange, LayerReport, PruneReport, TiedReport, Verification } from './prune/report';
export { buildReport } from './prune/report';
export type { VerifyOptions } from './prune/verify';
export { verifyCut } from './prune/verify';
export type { ComparedRow, CompareReport, Pair } from './report/compare';
export { compareReports } from './report/compare';
export { renderCompareReport } from './report/compare-table';
export type { AugmentSettings } from './train/augmentation';
export { noAugmentation, paddleAugmentation } from './train/augmentation';
export type { FinetuneOptions, FinetuneReport } from './train/finetune-file';
export { finetuneFile } from './train/finetune-file';
export { renderFinetuneReport } from './train/finetune-table';
export type { LossSettings, TeacherSettings } from './train/loss';
export type { GroupSettings, OptimizerSettings } from './train/optimizer';
export type { Recipe, RecipeOptions } from './train/recipe';
export type { ResumeOptions, RunOptions, TrainerOptions } from './train/trainer';
export { Trainer } from './train/trainer';
export type {
  Evaluation,
  EvaluationEvent,
  LossReport,
  RecalibrationEvent,
  StepEvent,
  TrainEvent,
  TrainResult,
} from './train/trainer-events';
