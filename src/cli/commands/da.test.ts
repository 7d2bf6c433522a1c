import { EventEmitter } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Command } from 'commander'
import { afterAll, describe, expect, test } from 'vitest'
import { callDa, daCall, postDa } from '../../../test/support/raw-da.ts'
import { systemEnv } from '../../core/env.ts'
import { createLocalDaNode } from '../../node/local-da.ts'
import { namespaceBytes } from '../../types/namespace.ts'
import { deferred } from '../../util/async.ts'
import { toBase64, utf8 } from '../../util/bytes.ts'
import { exitCodeOf, explain } from '../exit.ts'
import { addGlobalOptions } from '../options.ts'
import { addDa } from './da.ts'

const scratch = mkdtempSync(join(tmpdir(), 'evolve-cli-da-'))
afterAll(() => rmSync(scratch, { recursive: true, force: true }))

interface Run {
  /** Resolves with the address once it runs; rejects when it ends without. */
  readonly started: Promise<string>
  readonly ended: Promise<{ readonly code: number; readonly text: string }>
  /** What was logged so far, a line each. */
  readonly lines: readonly string[]
  /** Sends SIGINT. */
  interrupt(): void
}

/** Runs the command in this process. */
function evolveDa(...parameters: readonly string[]): Run {
  const signals = new EventEmitter()
  const lines: string[] = []
  const started = deferred<string>()
  started.promise.catch(() => undefined)
  const program = new Command('evolve')
    .exitOverride()
    .configureOutput({ writeErr: (text) => lines.push(text) })
  addGlobalOptions(program)
  addDa(program, {
    variables: {},
    terminal: {
      interactive: false,
      width: 80,
      live: () => undefined,
      write(text) {
        lines.push(text)
        const address = /local DA started .*address=(\S+)/.exec(text)?.[1]
        if (address !== undefined) started.resolve(address)
      },
    },
    color: false,
    env: systemEnv,
    signals: {
      on: (name: string, listener: () => void) => signals.on(name, listener),
      off: (name: string, listener: () => void) => signals.off(name, listener),
      exit: () => undefined,
    },
    createLocalDa: createLocalDaNode,
  })
  for (const command of program.commands) command.exitOverride().copyInheritedSettings(program)
  const run = async (): Promise<{ code: number; text: string }> => {
    try {
      await program.parseAsync(['da', ...parameters], { from: 'user' })
      return { code: 0, text: '' }
    } catch (error) {
      return { code: exitCodeOf(error), text: explain(error) ?? lines.join('') }
    } finally {
      started.reject(new Error(`it ended: ${lines.join('')}`))
    }
  }
  return { started: started.promise, ended: run(), lines, interrupt: () => signals.emit('SIGINT') }
}

const blob = {
  namespace: toBase64(namespaceBytes('a chain')),
  data: toBase64(utf8('some block')),
  share_version: 0,
}

describe('evolve da', () => {
  test('serves until a signal, and says where and that it keeps nothing', async () => {
    const run = evolveDa('--port', '0', '--block-time', '0')
    const address = await run.started
    expect(address).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/)
    expect(run.lines.join('')).toContain('in memory only')
    expect(await callDa(address, 'blob.Submit', [[blob]])).toBe(1)
    run.interrupt()
    expect(await run.ended).toEqual({ code: 0, text: '' })
    expect(run.lines.at(-1)).toContain('local DA stopped')
    await expect(fetch(address)).rejects.toThrow('fetch failed')
  })

  test('with a directory goes on where it was', async () => {
    const data = join(scratch, 'da')
    const parameters = ['--port', '0', '--block-time', '0s', '--data', data]
    const first = evolveDa(...parameters)
    await callDa(await first.started, 'blob.Submit', [[blob]])
    first.interrupt()
    await first.ended
    const second = evolveDa(...parameters)
    const address = await second.started
    expect(second.lines.join('')).toContain(`keeps=${data}`)
    expect(await callDa(address, 'blob.GetAll', [1, [blob.namespace]])).toHaveLength(1)
    const third = await evolveDa(...parameters).ended
    expect(third).toMatchObject({ code: 2, text: expect.stringContaining('in use by another process') })
    second.interrupt()
    await second.ended
  })

  test('heeds its other options', async () => {
    const run = evolveDa(
      ...'--port 0 --block-time 10ms --max-blob-size 9 --latency 1ms --auth-token secret'.split(' '),
    )
    const address = await run.started
    const submit = daCall('blob.Submit', [[blob]])
    expect((await postDa(address, submit)).status).toBe(401)
    const { json } = await postDa(address, submit, { Authorization: 'Bearer secret' })
    expect(json).toMatchObject({ error: { message: expect.stringContaining('over size limit') } })
    run.interrupt()
    expect(await run.ended).toMatchObject({ code: 0 })
  })

  test('says when the port is taken, with exit code 2', async () => {
    const run = evolveDa('--port', '0')
    const { port } = new URL(await run.started)
    expect(await evolveDa('--port', port).ended).toEqual({
      code: 2,
      text: `error: the address 127.0.0.1:${port} is in use by another process or node: end it, or choose another port with --port`,
    })
    run.interrupt()
    await run.ended
  })

  test.each([
    [['--port', '65536'], '--port'],
    [['--port', 'x'], '--port'],
    [['--block-time', '1'], '--block-time'],
    [['--block-time', '-1s'], '--block-time'],
    [['--max-blob-size', '0'], '--max-blob-size'],
    [['--latency', 'long'], '--latency'],
    [['--auth-token', ''], '--auth-token'],
    [['--data', ''], '--data'],
    [['--host', '203.0.113.1', '--port', '0'], '--host'],
    [['--evnode.log.level', 'loud'], 'log.level'],
    [['--unknown'], '--unknown'],
  ])('%j is refused with exit code 2 and says so', async (parameters, name) => {
    expect(await evolveDa(...parameters).ended).toEqual({ code: 2, text: expect.stringContaining(name) })
  })
})
