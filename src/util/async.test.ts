import { MessageChannel } from 'node:worker_threads'
import { describe, expect, test } from 'vitest'
import { abortable, createSerial, createWake, deferred, linkSignals } from './async.ts'

const never = new AbortController().signal

/** A signal that counts who listens to it. */
function counted(): {
  readonly signal: AbortSignal
  readonly abort: (reason: unknown) => void
  listeners: number
} {
  const controller = new AbortController()
  const { signal } = controller
  const counts = { signal, abort: (reason: unknown) => controller.abort(reason), listeners: 0 }
  const add = signal.addEventListener.bind(signal)
  const remove = signal.removeEventListener.bind(signal)
  signal.addEventListener = (...parameters: Parameters<typeof add>) => {
    counts.listeners++
    add(...parameters)
  }
  signal.removeEventListener = (...parameters: Parameters<typeof remove>) => {
    counts.listeners--
    remove(...parameters)
  }
  return counts
}

describe('abortable', () => {
  test('settles as the promise does, and leaves no listener', async () => {
    const { signal, ...counts } = counted()
    expect(await abortable(Promise.resolve(5), signal)).toBe(5)
    await expect(abortable(Promise.reject(new Error('own')), signal)).rejects.toThrow('own')
    expect(counts.listeners).toBe(0)
    expect(await abortable(Promise.resolve(6), undefined)).toBe(6)
  })

  test('rejects when the signal aborts, before or after', async () => {
    const controller = new AbortController()
    const waiting = abortable(deferred<void>().promise, controller.signal)
    controller.abort(new Error('stop'))
    await expect(waiting).rejects.toThrow('stop')
    await expect(abortable(Promise.resolve(5), controller.signal)).rejects.toThrow('stop')
  })

  test('takes care of the failure of a promise that it does not wait for', async () => {
    const unhandled: unknown[] = []
    const listener = (reason: unknown): void => {
      unhandled.push(reason)
    }
    process.on('unhandledRejection', listener)
    try {
      const { promise, reject } = deferred<void>()
      await expect(abortable(promise, AbortSignal.abort(new Error('stop')))).rejects.toThrow('stop')
      reject(new Error('late'))
      const { port1, port2 } = new MessageChannel()
      // A turn of the event loop: when unhandled rejections are reported.
      await new Promise((resolve) => {
        port2.on('message', resolve)
        port1.postMessage('turn')
      })
      port1.close()
      expect(unhandled).toEqual([])
    } finally {
      process.off('unhandledRejection', listener)
    }
  })
})

describe('linked signals', () => {
  test('abort with any of their parents, with its reason, and let go of the others', () => {
    const one = counted()
    const two = counted()
    const linked = linkSignals(one.signal, undefined, two.signal)
    expect([one.listeners, two.listeners]).toEqual([1, 1])
    two.abort('two')
    expect(linked.signal.reason).toBe('two')
    expect([one.listeners, two.listeners]).toEqual([0, 0])
  })

  test('abort on their own without the parents', () => {
    const parent = counted()
    const linked = linkSignals(parent.signal)
    linked.abort('own')
    expect(linked.signal.reason).toBe('own')
    expect(parent.signal.aborted).toBe(false)
    expect(parent.listeners).toBe(0)
  })

  test('are aborted at once by an aborted parent, and never after release', () => {
    expect(linkSignals(AbortSignal.abort('before')).signal.reason).toBe('before')
    const parent = counted()
    const linked = linkSignals(parent.signal)
    linked.release()
    parent.abort('after')
    expect(linked.signal.aborted).toBe(false)
  })
})

describe('a wake', () => {
  test('ends a wait, or the next one when nobody waits, once', async () => {
    const wake = createWake()
    const waiting = wake.wait(never)
    wake.wake()
    await waiting
    wake.wake()
    wake.wake()
    await wake.wait(never)
    const controller = new AbortController()
    const third = wake.wait(controller.signal)
    controller.abort(new Error('still waiting'))
    await expect(third).rejects.toThrow('still waiting')
  })

  test('is not lost when the wait was just aborted', async () => {
    const wake = createWake()
    const controller = new AbortController()
    const waiting = wake.wait(controller.signal)
    controller.abort(new Error('stop'))
    wake.wake()
    await expect(waiting).rejects.toThrow('stop')
    await wake.wait(never)
    expect(controller.signal.aborted).toBe(true)
  })
})

describe('a serial', () => {
  test('runs one task after another, whatever fails', async () => {
    const serial = createSerial()
    const order: string[] = []
    const gate = deferred<void>()
    const first = serial.run(async () => {
      order.push('first begins')
      await gate.promise
      order.push('first ends')
      throw new Error('first')
    })
    const second = serial.run(async () => {
      order.push('second')
      return 2
    })
    gate.resolve()
    await expect(first).rejects.toThrow('first')
    expect(await second).toBe(2)
    await serial.idle()
    expect(order).toEqual(['first begins', 'first ends', 'second'])
  })
})
