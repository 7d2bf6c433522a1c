/*
 * Go programs of the interop suite in a benchmark: events and replies are JSON lines on their standard output,
 * commands such lines on their standard input, which also keeps them alive.
 */
import { createInterface } from 'node:readline'
import { z } from 'zod'
import { buildGoProgram, type GoProgram } from '../test/interop/go-peer.ts'
import { spawnProgram, usageOf } from './child.ts'

const lineShape = z.object({
  event: z.string(),
  id: z.number().optional(),
  error: z.string().optional(),
  message: z.string().optional(),
  addresses: z.array(z.string()).default([]),
  height: z.number().default(0),
  hash: z.string().default(''),
  count: z.number().default(0),
  milliseconds: z.number().default(0),
  /** Unix milliseconds. */
  at: z.number().default(0),
})

/** One line that a Go program wrote. */
export type GoLine = z.infer<typeof lineShape>

/** A running Go program. */
export interface GoProcess {
  /** Multiaddresses it listens on, with its id. */
  readonly addresses: readonly string[]
  /** Sends a command; resolves with the reply, rejects with the error it tells. */
  ask(command: string, members?: Readonly<Record<string, string | number>>): Promise<GoLine>
  /** CPU seconds so far. */
  cpu(): number
  /** Bytes it ever held in memory at once. */
  peakMemory(): number
  /** Ends it and waits until it has ended. */
  stop(): Promise<void>
}

/** Starts a sub-command of a program, built when needed; resolves when it is ready. `onLine` is told what it says. */
export async function startGo(
  program: GoProgram,
  command: string,
  flags: Readonly<Record<string, string | number | boolean>>,
  onLine: (line: GoLine) => void = () => undefined,
): Promise<GoProcess> {
  const parameters = Object.entries(flags).map(([name, value]) => `-${name}=${value}`)
  const child = spawnProgram(buildGoProgram(program), [command, ...parameters])
  const { stdin, stdout, pid } = child
  if (stdin === null || stdout === null || pid === undefined) throw new Error(`${program} did not start`)
  const ready = Promise.withResolvers<GoLine>()
  const replies = new Map<number, PromiseWithResolvers<GoLine>>()
  const ended = new Promise<void>((resolve) => {
    child.once('close', () => {
      const error = new Error(`${program} ${command} ended early`)
      ready.reject(error)
      for (const reply of replies.values()) reply.reject(error)
      resolve()
    })
  })
  // Who waits for an answer is told by `close`.
  stdin.on('error', () => undefined)
  createInterface({ input: stdout }).on('line', (text) => {
    const line = lineShape.parse(JSON.parse(text))
    if (line.event === 'ready') ready.resolve(line)
    if (line.event === 'failed') ready.reject(new Error(`${program} ${command}: ${line.message}`))
    if (line.event !== 'reply' || line.id === undefined) return onLine(line)
    const reply = replies.get(line.id)
    replies.delete(line.id)
    if (line.error === undefined) reply?.resolve(line)
    else reply?.reject(new Error(`${program} ${command}: ${line.error}`))
  })
  const { addresses } = await ready.promise
  let asked = 0
  return {
    addresses,
    async ask(question, members = {}) {
      const id = ++asked
      const reply = Promise.withResolvers<GoLine>()
      replies.set(id, reply)
      stdin.write(`${JSON.stringify({ ...members, id, command: question })}\n`)
      return await reply.promise
    },
    cpu: () => usageOf(pid).cpu,
    peakMemory: () => usageOf(pid).memory,
    async stop() {
      stdin.end()
      await ended
    },
  }
}
