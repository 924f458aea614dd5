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
export type { CalibrationOptions, CalibrationReport } from './calibrate/calibrate-file';
export { Compressor, type CompressorOptions } from './compress/compressor';
export type {
  BeginEvent,
  CheckpointEvent,
  CompressionEvent,
  CutEvent,
  EpochEvent,
  MetricEvent,
  NoteEvent,
  RunSoFar,
  WarningEvent,
} from './compress/events';
export type { Metric } from './compress/metric';
export type { CutRecord, RunReport, ShapeChange } from './compress/run-report';
export { renderRunReport } from './compress/run-table';
export type { StrategyMaker } from './compress/strategies';
export { registerStrategy } from './compress/strategies';
export type { CompressionContext, CutRequest, PlannedCut, Strategy, StrategyCheckOptions } from './compress/strategy';
export type { CutOptions, ReadConfigOptions, RunConfig, StrategyConfig, UniformOptions } from './config/config';
export { readConfig } from './config/config';
export type { Dataset, OpenDatasetOptions, Sample } from './data/dataset';
export { drawDataset, limitDataset, openDataset } from './data/dataset';
export type { DemoModel, DemoOptions, DemoReport, DemoStage } from './demo/demo';
export { runDemo } from './demo/demo';
export { renderDemoReport } from './demo/table';
export type { BuildReport } from './doctor/build-addon';
export { buildAddon } from './doctor/build-addon';
export type { Check, DoctorReport } from './doctor/doctor';
export { examineMachine } from './doctor/doctor';
export { renderDoctorReport } from './doctor/table';
export { embeddedDetector } from './embedded/detector';
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
export type { LatencyBudget, LatencyStage } from './latency/latency-search';
export type { LatencyReport, LatencyTrial } from './latency/report';
export type { LatencyTarget } from './latency/target';
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
export { pruneFile } from './prune/prune-file';
export type { PruneModelOptions } from './prune/prune-model';
export { openPruner, pruneModel } from './prune/prune-model';
export { renderPruneReport } from './prune/prune-table';
export type { CountChange, LayerReport, PruneReport, TiedReport, Verification } from './prune/report';
export { buildReport } from './prune/report';
export type { VerifyOptions } from './prune/verify';
export { verifyCut } from './prune/verify';
export type { ComparedRow, CompareReport, Pair } from './report/compare';
export { compareReports } from './report/compare';
export { renderCompareReport } from './report/compare-table';
export type { RunLog, RunLogOptions } from './report/event-queue';
export type { PageDocument } from './report/page/document';
export { readPageDocument } from './report/page/document';
export type { PageExtras } from './report/page/page';
export { renderPage } from './report/page/page';
export type { PagePicture } from './report/page/pictures';
export type { PageServerOptions } from './report/page/server';
export { PageServer } from './report/page/server';
export type { PageReport, ReportPageOptions } from './report/page-file';
export { reportPage } from './report/page-file';
export type { RunHistory } from './report/run-history';
export { readRunLog } from './report/run-history';
export { JsonLog } from './report/run-log';
export type { StepMean } from './report/step-means';
export { TensorBoardLog } from './report/tensorboard';
export type { Scene, SceneKey } from './scenes/scene';
export { drawScene } from './scenes/scene';
export { sceneClasses } from './scenes/shapes';
export type { WriteScenesOptions } from './scenes/voc-folder';
export { writeScenes } from './scenes/voc-folder';
export { drawCurves } from './sensitivity/curve-plot';
export type { LossCurve, LossCurves, LossPoint } from './sensitivity/loss-curves';
export { lossCurves, readLossCurves } from './sensitivity/loss-curves';
export type { MapSensitivityFileOptions } from './sensitivity/map-file';
export { sensitivityMapFile } from './sensitivity/map-file';
export type { MapLayer, MapPoint, MapSensitivityReport } from './sensitivity/map-report';
export type { MapSensitivityOptions } from './sensitivity/map-sensitivity';
export { sensitivityByMap } from './sensitivity/map-sensitivity';
export type { MapSettings } from './sensitivity/map-settings';
export { renderMapSensitivity } from './sensitivity/map-table';
export type { PaddleForm } from './sensitivity/paddle-file';
export { encodePaddleCurves } from './sensitivity/paddle-file';
export type { PointStore } from './sensitivity/results-file';
export { resultsFile } from './sensitivity/results-file';
export type { LayerSensitivity, SensitivityOptions, SensitivityReport } from './sensitivity/sensitivity';
export { sensitivityByPictures } from './sensitivity/sensitivity';
export type { SensitivityFileOptions } from './sensitivity/sensitivity-file';
export { sensitivityFile } from './sensitivity/sensitivity-file';
export { renderSensitivityReport } from './sensitivity/sensitivity-table';
export type { AugmentationName, AugmentSettings } from './train/augmentation';
export { lightAugmentation, noAugmentation, paddleAugmentation } from './train/augmentation';
export type { FinetuneOptions, FinetuneReport } from './train/finetune-file';
export { finetuneFile } from './train/finetune-file';
export { renderFinetuneReport } from './train/finetune-table';
export type { LossSettings, TeacherSettings } from './train/loss';
export type { GroupSettings, OptimizerSettings } from './train/optimizer';
export type { Recipe, RecipeOptions } from './train/recipe';
export { Trainer } from './train/trainer';
export type {
  Evaluation,
  EvaluationEvent,
  RecalibrationEvent,
  StepEvent,
  TrainEvent,
  TrainResult,
} from './train/trainer-events';
export type { ResumeOptions, RunOptions, TrainerOptions } from './train/trainer-options';
