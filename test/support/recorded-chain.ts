import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { gunzipSync } from 'node:zlib'
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

/** Blobs of a DA height, as a DA node answers: JSON. */
export interface RecordedBlobs {
  readonly height: number
  readonly blobs: readonly unknown[]
}

/** What the chain posted to DA, by DA height; and its namespaces, configured and as hex. */
export function recordedDa(): {
  readonly configured: { readonly header: string; readonly data: string }
  readonly namespaces: { readonly header: string; readonly data: string }
  readonly blocks: readonly RecordedBlobs[]
} {
  const file: unknown = JSON.parse(gunzipSync(readFileSync(new URL('da.json.gz', folder))).toString('utf8'))
  const get = (value: unknown, name: string): unknown =>
    typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined
  const list = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [])
  return {
    configured: {
      header: String(get(get(file, 'config'), 'da.namespace')),
      data: String(get(get(file, 'config'), 'da.data_namespace')),
    },
    namespaces: {
      header: String(get(get(file, 'namespaces'), 'header')),
      data: String(get(get(file, 'namespaces'), 'data')),
    },
    blocks: list(get(file, 'blocks')).map((block) => ({
      height: Number(get(block, 'height')),
      blobs: list(get(block, 'blobs')),
    })),
  }
}
