/*
 * The client and the local DA, over real sockets.
 */
import { expect, test } from 'vitest'
import { systemEnv } from '../../core/env.ts'
import { noopLogger } from '../../core/logger.ts'
import { noopMetrics } from '../../core/metrics.ts'
import { deferred } from '../../util/async.ts'
import { utf8 } from '../../util/bytes.ts'
import { createBlob } from '../blob.ts'
import { createLocalDa } from '../local/local-da.node.ts'
import { createDaClient } from './client.node.ts'

const namespace = new Uint8Array(29).fill(7, 19)
const other = new Uint8Array(29).fill(8, 19)
const blobs = ['one', 'two'].map((text) => createBlob(namespace, utf8(text)))
const deps = { env: systemEnv, logger: noopLogger }

test('what is posted is announced, read back and proven', async () => {
  const { signal } = new AbortController()
  const da = createLocalDa(deps, { blockTime: 0, authToken: 'sesame' })
  await da.start()
  const client = createDaClient(
    { ...deps, metrics: noopMetrics },
    { address: da.address, authToken: 'sesame' },
  )
  await client.start()
  try {
    const announced = deferred<number>()
    const subscribed = (async () => {
      for await (const { height } of client.subscribe(namespace, { signal })) announced.resolve(height)
    })()
    const before = await client.head({ signal })
    const height = await client.submit(blobs, { signal })
    expect(height).toBe(before.height + 1)
    expect(client.transport).toBe('websocket')
    expect(await announced.promise).toBe(height)

    const found = await client.getAll(height, [namespace, other], { signal })
    expect(found.map(({ data, commitment }) => [data, commitment])).toEqual(
      blobs.map(({ data, commitment }) => [data, commitment]),
    )
    expect(await client.getAll(height, [other], { signal })).toEqual([])
    const header = await client.header(height, { signal })
    expect(header).toMatchObject({ height, previousHash: before.hash })
    expect(header.hash).toHaveLength(32)
    expect(header.time).toBeGreaterThan(0n)

    const [, second] = blobs
    const commitment = second?.commitment ?? new Uint8Array()
    expect((await client.get(height, namespace, commitment, { signal })).data).toEqual(utf8('two'))
    const proof = await client.getProof(height, namespace, commitment, { signal })
    expect(await client.included(height, namespace, proof, commitment, { signal })).toBe(true)
    await expect(client.get(height, other, commitment, { signal })).rejects.toMatchObject({
      code: 'DA_NOT_FOUND',
    })
    await expect(client.getAll(height + 1, [namespace], { signal })).rejects.toMatchObject({
      code: 'DA_FROM_FUTURE',
    })

    await da.stop()
    await subscribed
    await expect(client.head({ signal })).rejects.toMatchObject({ code: 'DA_UNREACHABLE' })
    await da.start()
    expect(await client.head({ signal })).toMatchObject({ height })
  } finally {
    await client.stop()
    await da.stop()
  }
})

test('a token that is wrong is DA_UNAUTHORIZED', async () => {
  const { signal } = new AbortController()
  const da = createLocalDa(deps, { blockTime: 0, authToken: 'sesame' })
  await da.start()
  const client = createDaClient({ ...deps, metrics: noopMetrics }, { address: da.address })
  await client.start()
  try {
    await expect(client.head({ signal })).rejects.toMatchObject({ code: 'DA_UNAUTHORIZED' })
  } finally {
    await client.stop()
    await da.stop()
  }
})
