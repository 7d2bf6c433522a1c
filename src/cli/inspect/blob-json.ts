/*
 * Blobs as a DA node's JSON-RPC gives them.
 */
import { fromBase64 } from '../../util/bytes.ts'
import { EvolveError } from '../../util/errors.ts'

/** A blob of an answer. */
export interface JsonBlob {
  /** Where it stands, for people: `blob 2 of 3`; undefined when there is only one. */
  readonly place: string | undefined
  readonly data: Uint8Array
  /** As they stand there; undefined where they do not. */
  readonly namespace: string | undefined
  readonly commitment: string | undefined
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/**
 * Reads one blob, a list of them, or the answer that holds either as its `result`. Throws `USAGE` naming what is wrong
 * and where.
 */
export function readBlobJson(text: string): JsonBlob[] {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw new EvolveError('USAGE', 'the input begins like JSON but is none', { cause: error })
  }
  const result = isObject(value) && Reflect.has(value, 'result') ? Reflect.get(value, 'result') : value
  const found: unknown[] = Array.isArray(result) ? result : [result]
  if (found.length === 0) throw new EvolveError('USAGE', 'the JSON holds no blobs')
  return found.map((one, index) => {
    const place = found.length === 1 ? undefined : `blob ${index + 1} of ${found.length}`
    return { place, ...readBlob(one, place ?? 'the JSON') }
  })
}

function readBlob(value: unknown, where: string): Omit<JsonBlob, 'place'> {
  if (!isObject(value)) throw new EvolveError('USAGE', `${where}: expected an object with the blob's data`)
  const text = (name: string): string | undefined => {
    const field: unknown = Reflect.get(value, name)
    return typeof field === 'string' ? field : undefined
  }
  const data = text('data')
  const bytes = data === undefined ? undefined : fromBase64(data)
  if (bytes === undefined)
    throw new EvolveError('USAGE', `${where}: data must be base64, as DA nodes write it`)
  return { data: bytes, namespace: text('namespace'), commitment: text('commitment') }
}
