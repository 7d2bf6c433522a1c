import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import { FrameReader } from '../../src/header/exchange/codec.ts'
import { type Genesis, parseGenesis } from '../../src/types/genesis.ts'

/** A block of the recorded chain, as peers send it. */
export interface RecordedBlock {
  readonly header: Uint8Array
  readonly data: Uint8Array
}

const folder = new URL('../fixtures/recorded-chain/', import.meta.url)

/** The genesis of the recorded chain. */
export function recordedGenesis(): Genesis {
  return parseGenesis(readFileSync(new URL('genesis.json', folder), 'utf8'))
}

/** The blocks of the recorded chain, from height 1. */
export function recordedBlocks(): readonly RecordedBlock[] {
  const bytes = new Uint8Array(gunzipSync(readFileSync(new URL('chain.bin.gz', folder))))
  const parts: Uint8Array[] = []
  new FrameReader(1 << 20).push(bytes, (frame) => {
    parts.push(frame)
  })
  const blocks: RecordedBlock[] = []
  for (let i = 0; i + 1 < parts.length; i += 2) {
    const [header, data] = parts.slice(i, i + 2)
    if (header !== undefined && data !== undefined) blocks.push({ header, data })
  }
  return blocks
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
