import { gunzipSync } from 'node:zlib'
import { blobFromJson } from '../../src/da/blob.ts'
import type { Blob } from '../../src/core/da.ts'
import { decodeDAHeaderEnvelope } from '../../src/types/codec.ts'
import { equalBytes } from '../../src/util/bytes.ts'
import { namespaceBytes } from '../../src/types/namespace.ts'
import { readBytes } from './recording.ts'

/** What a recorded chain posted to DA. */
export interface DaRecording {
  /** Namespaces as they were configured. */
  readonly configured: { readonly header: string; readonly data: string }
  /** The same in hex. */
  readonly namespaces: { readonly header: string; readonly data: string }
  /** By DA height; blobs as a DA node answers: JSON. */
  readonly blocks: readonly { readonly height: number; readonly blobs: readonly unknown[] }[]
}

/** Reads `da.json.gz` of a recording. */
export function readDaRecording(folder: string): DaRecording {
  const file: unknown = JSON.parse(gunzipSync(readBytes(folder, 'da.json.gz')).toString('utf8'))
  const get = (value: unknown, ...names: readonly string[]): unknown =>
    names.reduce(
      (at, name): unknown => (typeof at === 'object' && at !== null ? Reflect.get(at, name) : undefined),
      value,
    )
  const list = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [])
  return {
    configured: {
      header: String(get(file, 'config', 'da.namespace')),
      data: String(get(file, 'config', 'da.data_namespace')),
    },
    namespaces: {
      header: String(get(file, 'namespaces', 'header')),
      data: String(get(file, 'namespaces', 'data')),
    },
    blocks: list(get(file, 'blocks')).map((block) => ({
      height: Number(get(block, 'height')),
      blobs: list(get(block, 'blobs')),
    })),
  }
}

/** The blobs of a recording, by DA height. */
export function blobsOf({ blocks }: DaRecording): { readonly height: number; readonly blobs: Blob[] }[] {
  return blocks.map(({ height, blobs }) => ({ height, blobs: blobs.map(blobFromJson) }))
}

/** Highest height whose header is on DA: the recording ended before the last blocks were posted. */
export function highestOnDa(recording: DaRecording): number {
  const namespace = namespaceBytes(recording.configured.header)
  const heights = blobsOf(recording)
    .flatMap(({ blobs }) => blobs)
    .filter((blob) => equalBytes(blob.namespace, namespace))
    .map(({ data }) => decodeDAHeaderEnvelope(data).header.header.height)
  return Math.max(...heights)
}
