import { expect, test } from 'vitest'
import { makeExecutedChain } from '../../../test/support/executed-chain.ts'
import { createVirtualEnv } from '../../../test/support/virtual-env.ts'
import { deferred } from '../../util/async.ts'
import { createOutbox } from './outbox.ts'

const chain = makeExecutedChain({ count: 80 })

/** An outbox whose publications end when the test says so. */
function begin() {
  const virtual = createVirtualEnv()
  const stopping = new AbortController()
  const out: number[][] = []
  const failures: unknown[] = []
  const gate = { current: deferred<void>() }
  const outbox = createOutbox(
    {
      env: virtual.env,
      async publish(blocks) {
        out.push(blocks.map(({ header }) => header.header.height))
        await gate.current.promise
      },
      failed: (error) => failures.push(error),
    },
    stopping,
  )
  return { virtual, stopping, out, failures, gate, outbox }
}

test('what comes while something goes out, goes out together', async () => {
  const { virtual, out, gate, outbox } = begin()
  for (const height of [1, 2, 3]) await outbox.push(chain.at(height))
  expect(out).toEqual([[1]])
  expect(outbox.empty).toBe(false)
  gate.current.resolve()
  await virtual.advance(10)
  expect(out).toEqual([[1], [2, 3]])
  expect(outbox.empty).toBe(true)
  await outbox.idle()
})

test('who is too far ahead waits', async () => {
  const { virtual, out, gate, outbox } = begin()
  let pushed = 0
  const pushing = (async () => {
    for (; pushed < 80; pushed++) await outbox.push(chain.at(pushed + 1))
  })()
  await virtual.settle()
  expect(pushed).toBe(64)
  gate.current.resolve()
  await virtual.advance(10)
  await pushing
  await outbox.idle()
  expect(out.flat()).toEqual(Array.from({ length: 80 }, (_, index) => index + 1))
})

test('a failure ends it, is told, and nobody waits for ever', async () => {
  const { virtual, out, failures, gate, outbox } = begin()
  const pushing = (async () => {
    for (let height = 1; height <= 80; height++) await outbox.push(chain.at(height))
  })()
  await virtual.settle()
  const error = new Error('another block is in the way')
  gate.current.reject(error)
  await virtual.advance(10)
  await pushing
  await outbox.idle()
  expect(failures).toEqual([error])
  expect(out).toEqual([[1]])
})

test('nothing goes out after the signal', async () => {
  const { virtual, stopping, out, gate, outbox } = begin()
  await outbox.push(chain.at(1))
  gate.current.resolve()
  await virtual.settle()
  await outbox.push(chain.at(2))
  stopping.abort()
  await virtual.advance(10)
  await outbox.idle()
  expect(out).toEqual([[1]])
})
