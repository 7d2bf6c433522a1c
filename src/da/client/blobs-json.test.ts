import { expect, test } from 'vitest'
import { createRecorder } from '../../../test/support/recorder.ts'
import type { Blob } from '../../core/da.ts'
import { utf8 } from '../../util/bytes.ts'
import { blobToJson, createBlob } from '../blob.ts'
import type { Metrics } from '../../core/metrics.ts'
import { createBlobCollector, MAX_BLOB_BYTES, takeList } from './blobs-json.ts'
import { CLIENT_METRICS } from './metrics.ts'

const ours = new Uint8Array(29).fill(1, 19)
const theirs = new Uint8Array(29).fill(2, 19)

function blobsFromJson(json: unknown, namespaces: readonly Uint8Array[], metrics: Metrics): Blob[] {
  const collector = createBlobCollector(metrics, { namespaces, maxBytes: 64 * 1024 * 1024 })
  takeList(json, collector)
  return collector.blobs
}

const blob = (text: string, namespace = ours) => createBlob(namespace, utf8(text))

test('blobs come in the order of the answer', () => {
  const recorder = createRecorder()
  const blobs = [blob('a'), blob('b', theirs), blob('c')]
  expect(blobsFromJson(blobs.map(blobToJson), [ours, theirs], recorder.metrics)).toEqual(blobs)
})

test('null is no blobs', () => {
  expect(blobsFromJson(null, [ours], createRecorder().metrics)).toEqual([])
})

test('what is wrong is left out and counted, what is good stays', () => {
  const recorder = createRecorder()
  const good = blobToJson(blob('good'))
  const answer = [
    null,
    7,
    { ...good, data: '%' },
    { ...good, commitment: 'AAAA' },
    { ...good, index: 'x' },
    { ...good, namespace: undefined },
    blobToJson(blob('foreign', theirs)),
    good,
  ]
  expect(blobsFromJson(answer, [ours], recorder.metrics)).toEqual([blob('good')])
  expect(recorder.value(CLIENT_METRICS.blobsDropped)).toBe(7)
})

test('a blob of 5 MiB is taken, one that is larger is not', () => {
  const recorder = createRecorder()
  const of = (bytes: number) => ({ ...blobToJson(blob('x')), data: Buffer.alloc(bytes).toString('base64') })
  const answer = [of(MAX_BLOB_BYTES), of(MAX_BLOB_BYTES + 1), of(MAX_BLOB_BYTES + 1_000)]
  expect(blobsFromJson(answer, [ours], recorder.metrics).map(({ data }) => data.length)).toEqual([
    MAX_BLOB_BYTES,
  ])
  expect(recorder.value(CLIENT_METRICS.blobsDropped)).toBe(2)
})

test.each([[{}], ['text'], [5], [true]])('%j is no list of blobs', (json) => {
  expect(() => blobsFromJson(json, [ours], createRecorder().metrics)).toThrow(
    expect.objectContaining({ code: 'DA_MALFORMED' }),
  )
})

test('blobs are kept when they are wanted and while there is room, and each is asked about once', () => {
  const recorder = createRecorder()
  const asked: string[] = []
  const collector = createBlobCollector(recorder.metrics, {
    namespaces: [ours],
    maxBytes: 3_000,
    keep({ data }) {
      asked.push(String(data[0]))
      return data[0] !== 2
    },
  })
  const of = (id: number, bytes: number) => blobToJson(createBlob(ours, new Uint8Array(bytes).fill(id)))
  for (const json of [of(1, 600), of(2, 1_000), of(3, 1_000), of(4, 600), of(5, 300)]) collector.element(json)
  expect(collector.blobs.map(({ data }) => data[0])).toEqual([1, 3])
  expect(asked).toEqual(['1', '2', '3'])
  expect(recorder.value(CLIENT_METRICS.blobsDropped)).toBe(3)
})
