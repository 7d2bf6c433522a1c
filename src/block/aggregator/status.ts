/**
 * What a producer is doing: not running; bringing the executor to the chain's height or waiting for its answer; waiting
 * for the chain to begin; making blocks; waiting until fewer blocks wait for DA; ended by a critical error.
 */
export type ProducerPhase =
  | 'stopped'
  | 'waiting-executor'
  | 'waiting-genesis'
  | 'producing'
  | 'paused-da'
  | 'halted'

/** A producer at one moment. */
export interface ProducerStatus {
  readonly phase: ProducerPhase
  /** Height of the last saved block; one below the initial height before the first. */
  readonly height: number
  /** Time of the last block, unix nanoseconds; 0n before the first. */
  readonly lastBlockTime: bigint
  /** State root after the last block; empty before there is one. */
  readonly stateRoot: Uint8Array
  /** Hash of the last block's header; empty before the first. */
  readonly lastHeaderHash: Uint8Array
  /** What keeps the next block from being made, or ended the production; undefined when nothing does. */
  readonly lastError: string | undefined
}
