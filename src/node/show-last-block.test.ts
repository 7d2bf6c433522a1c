import { expect, test } from 'vitest'
import { makeExecutedChain } from '../../test/support/executed-chain.ts'
import { createRecorder } from '../../test/support/recorder.ts'
import { createVirtualEnv } from '../../test/support/virtual-env.ts'
import type { SignedHeader } from '../types/header.ts'
import { showLastBlock } from './show-last-block.ts'

const chain = makeExecutedChain({ count: 3 })

test('a read or a broadcast that fails does not end it', async () => {
  const time = createVirtualEnv()
  const recorder = createRecorder()
  const faults: (string | undefined)[] = ['height', 'header', 'broadcast', undefined, 'height', undefined]
  let fault: string | undefined
  const failIf = (what: string): void => {
    if (fault === what) throw new Error(`no ${what}`)
  }
  const shown: number[] = []
  const stopping = new AbortController()
  const showing = showLastBlock(
    {
      blocks: {
        async height() {
          fault = faults.shift()
          failIf('height')
          return 3
        },
        async header(height): Promise<SignedHeader> {
          failIf('header')
          return chain.at(height).header
        },
      },
      async broadcast({ header }) {
        failIf('broadcast')
        shown.push(header.height)
      },
      env: time.env,
      logger: recorder.logger,
    },
    { signal: stopping.signal },
  )
  showing.catch(() => undefined)
  await time.advance(11_000)
  expect(shown).toEqual([3, 3])
  expect(recorder.times('warn: showing our last header failed; trying again')).toBe(2)
  stopping.abort(new Error('the end'))
  await expect(showing).rejects.toThrow('the end')
})
