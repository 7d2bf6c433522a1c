import { describe, expect, test } from 'vitest'
import { createVirtualEnv } from '../../test/support/virtual-env.ts'
import { createPace } from './pace.ts'

const LEAD = 10
const PATIENCE = 1_000

function setUp() {
  const virtual = createVirtualEnv()
  const pace = createPace({ env: virtual.env }, { lead: LEAD, patience: PATIENCE })
  const controller = new AbortController()
  /** Waits for `height`; tells how that stands once all that can go on has. */
  const wait = (height: number) => {
    let state: 'waits' | 'went on' | 'rejected' = 'waits'
    const done = pace.wait(height, { signal: controller.signal }).then(
      () => {
        state = 'went on'
        return undefined
      },
      (error: unknown) => {
        state = 'rejected'
        return error
      },
    )
    return {
      done,
      async now() {
        await virtual.settle()
        return state
      },
    }
  }
  return { virtual, pace, wait, abort: (reason: unknown) => controller.abort(reason) }
}

describe('a pace', () => {
  test('lets pass what is within the lead, and no height more', async () => {
    const { pace, wait } = setUp()
    expect(await wait(LEAD).now()).toBe('went on')
    expect(await wait(LEAD + 1).now()).toBe('waits')
    pace.reached(7)
    expect(await wait(7 + LEAD).now()).toBe('went on')
    expect(await wait(7 + LEAD + 1).now()).toBe('waits')
  })

  test('goes on when the stage behind is near, without any time passing', async () => {
    const { virtual, pace, wait } = setUp()
    const waiting = wait(LEAD + 3)
    pace.reached(2)
    expect(await waiting.now()).toBe('waits')
    pace.reached(3)
    expect(await waiting.now()).toBe('went on')
    expect(virtual.timers).toBe(0)
  })

  test('gives up when nothing moves for as long as its patience', async () => {
    const { virtual, wait } = setUp()
    const waiting = wait(100)
    await virtual.advance(PATIENCE - 1)
    expect(await waiting.now()).toBe('waits')
    await virtual.advance(1)
    expect(await waiting.now()).toBe('went on')
    expect(virtual.timers).toBe(0)
  })

  test('does not wait again for who stands still, until that moves', async () => {
    const { virtual, pace, wait } = setUp()
    const given = wait(100)
    await virtual.advance(PATIENCE)
    expect(await given.now()).toBe('went on')
    for (const height of [101, 1_000]) expect(await wait(height).now()).toBe('went on')
    pace.reached(1)
    const waiting = wait(1_001)
    expect(await waiting.now()).toBe('waits')
    await virtual.advance(PATIENCE)
    expect(await waiting.now()).toBe('went on')
  })

  test('has its whole patience again after each move', async () => {
    const { virtual, pace, wait } = setUp()
    const waiting = wait(100)
    for (let height = 1; height <= 5; height++) {
      await virtual.advance(PATIENCE - 1)
      pace.reached(height)
    }
    await virtual.advance(PATIENCE - 1)
    expect(await waiting.now()).toBe('waits')
    await virtual.advance(1)
    expect(await waiting.now()).toBe('went on')
  })

  test('rejects with the reason of the abort, and then waits for nobody', async () => {
    const { virtual, pace, wait, abort } = setUp()
    const waiting = wait(100)
    expect(await waiting.now()).toBe('waits')
    const reason = new Error('the node stops')
    abort(reason)
    expect(await waiting.now()).toBe('rejected')
    expect(await waiting.done).toBe(reason)
    expect(virtual.timers).toBe(0)
    pace.reached(1)
    expect(virtual.timers).toBe(0)
  })

  test('rejects at once when it would wait for a signal that is aborted already', async () => {
    const { virtual, wait, abort } = setUp()
    const reason = new Error('too late')
    abort(reason)
    expect(await wait(100).done).toBe(reason)
    expect(virtual.timers).toBe(0)
  })
})
