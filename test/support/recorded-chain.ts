import { fileURLToPath } from 'node:url'
import { type DaRecording, readDaRecording } from '../../scripts/recorded/da-recording.ts'
import { readGenesis, readRecords } from '../../scripts/recorded/recording.ts'
import type { Genesis } from '../../src/types/genesis.ts'

const folder = new URL('../fixtures/recorded-chain/', import.meta.url)

/** The genesis of the recorded chain. */
export function recordedGenesis(): Genesis {
  return readGenesis(fileURLToPath(folder))
}

/** The blocks of the recorded chain as peers send them, from height 1. */
export function recordedBlocks(): ReturnType<typeof readRecords> {
  return readRecords(fileURLToPath(folder))
}

/** What the recorded chain posted to DA. */
export function recordedDa(): DaRecording {
  return readDaRecording(fileURLToPath(folder))
}
