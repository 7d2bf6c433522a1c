import { expect, test } from 'vitest'
import { resultText, valueText } from '../../../test/support/scripted-da-node.ts'
import { createMultiplexer } from './multiplexer.ts'

const { signal } = new AbortController()

function createRig() {
  const sent: unknown[] = []
  const ignored: string[] = []
  const multiplexer = createMultiplexer({
    send: (text) => sent.push(JSON.parse(text)),
    ignored: (reason) => ignored.push(reason),
  })
  const open = async (id: number, channel: number): Promise<unknown[]> => {
    const got: unknown[] = []
    const sink = { value: (value: unknown) => got.push(value), end: () => got.push('end') }
    const answer = multiplexer.call({ id, method: 'subscribe', params: [] }, { signal, sink })
    multiplexer.receive(resultText(id, channel))
    await answer
    return got
  }
  return { multiplexer, open, sent, ignored }
}

test('an answer is taken once', async () => {
  const { multiplexer, ignored } = createRig()
  const answer = multiplexer.call({ id: 1, method: 'a', params: [] }, { signal })
  multiplexer.receive(resultText(1, 'first'))
  multiplexer.receive(resultText(1, 'second'))
  expect(await answer).toEqual({ result: 'first' })
  expect(ignored).toEqual(['unknown-call'])
})

test('a channel that is given twice belongs to who got it last', async () => {
  const { multiplexer, open } = createRig()
  const first = await open(1, 7)
  const second = await open(2, 7)
  multiplexer.receive(valueText(7, 'a'))
  expect([first, second]).toEqual([['end'], ['a']])
})

test('a channel that was ended gets nothing, and the other side is told once', async () => {
  const { multiplexer, open, sent, ignored } = createRig()
  const got = await open(1, 7)
  const other = await open(2, 8)
  multiplexer.endChannel(1)
  multiplexer.endChannel(1)
  multiplexer.receive(valueText(7, 'late'))
  multiplexer.receive(valueText(8, 'other'))
  expect([got, other]).toEqual([[], ['other']])
  expect(ignored).toEqual(['unknown-channel'])
  expect(sent.slice(2)).toEqual([{ jsonrpc: '2.0', method: 'xrpc.cancel', params: [1] }])
})

test('when the connection is gone, calls reject and channels end, each once', async () => {
  const { multiplexer, open } = createRig()
  const got = await open(1, 7)
  const answer = multiplexer.call({ id: 2, method: 'a', params: [] }, { signal })
  multiplexer.fail(new Error('gone'))
  multiplexer.fail(new Error('gone again'))
  await expect(answer).rejects.toThrow('gone')
  expect(got).toEqual(['end'])
})
