/*
 * Peers of the suite in processes of their own, driven by JSON lines: events and replies on standard output, commands
 * on standard input, which also keeps them alive.
 */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { onTestFinished } from 'vitest'
import { z } from 'zod'
import { systemEnv, withTimeout } from '../../src/core/env.ts'

/** How long any answer of a peer may take, milliseconds. */
const PATIENCE = 60_000

/** Which store, topic and protocol is meant. */
export type Kind = 'headerSync' | 'dataSync'

/** One line that a peer wrote. */
export type PeerEvent = z.infer<typeof eventShape>

const eventShape = z.object({
  event: z.string(),
  id: z.number().optional(),
  error: z.string().optional(),
  message: z.string().optional(),
  peer: z.string().optional(),
  addresses: z.array(z.string()).optional(),
  protocols: z.array(z.string()).optional(),
  genesis: z.record(z.string(), z.unknown()).optional(),
  security: z.string().optional(),
  kind: z.string().optional(),
  height: z.number().optional(),
  hash: z.string().optional(),
  dataHash: z.string().optional(),
  appHash: z.string().optional(),
  stateRoot: z.string().optional(),
  verdict: z.string().optional(),
  found: z.array(z.string()).optional(),
  peers: z.array(z.string()).optional(),
  count: z.number().optional(),
  txs: z.number().optional(),
  milliseconds: z.number().optional(),
})

/** A command's members beside its name. */
export interface PeerCommand {
  readonly kind?: Kind
  readonly peer?: string
  readonly hash?: string
  readonly height?: number
  readonly from?: number
  readonly to?: number
  readonly count?: number
  readonly txs?: readonly string[]
}

/** A running peer. */
export interface Peer {
  readonly id: string
  /** Multiaddresses it listens on, with its id. */
  readonly addresses: readonly string[]
  /** What it said when it was ready. */
  readonly ready: PeerEvent
  /** Everything it said so far. */
  readonly events: readonly PeerEvent[]
  /** The first event, past or coming, that `accept` takes. */
  event(what: string, accept: (event: PeerEvent) => boolean): Promise<PeerEvent>
  /** Sends a command and resolves with the reply; rejects with the error it tells. */
  ask(command: string, members?: PeerCommand): Promise<PeerEvent>
  /** Ends it and waits until it has ended. */
  stop(): Promise<void>
  /** Takes its life at once (SIGKILL) and waits until it has ended. */
  kill(): Promise<void>
}

/** Starts a program, which goes by `name` in failures; it is stopped when the running test is over. */
export async function startPeer(name: string, program: string, parameters: readonly string[]): Promise<Peer> {
  const child = spawn(program, parameters, { stdio: 'pipe' })
  const lines = collect(child)

  async function event(what: string, accept: (event: PeerEvent) => boolean): Promise<PeerEvent> {
    try {
      return await withTimeout(systemEnv, PATIENCE, undefined, what, (signal) => lines.next(accept, signal))
    } catch (error) {
      const last = lines.events.slice(-8).map((line) => JSON.stringify(line))
      throw new Error(
        [`${name} did not say: ${what}; its last words:`, ...last, lines.stderr().slice(-2_000)].join('\n'),
        { cause: error },
      )
    }
  }

  let asked = 0
  async function stop(): Promise<void> {
    child.stdin.end()
    await lines.ended
  }
  onTestFinished(stop)
  const ready = await event('ready', (line) => line.event === 'ready')
  return {
    id: ready.peer ?? '',
    addresses: ready.addresses ?? [],
    ready,
    events: lines.events,
    event,
    async ask(question, members = {}) {
      const id = ++asked
      child.stdin.write(`${JSON.stringify({ ...members, id, command: question })}\n`)
      const reply = await event(`reply to ${question}`, (line) => line.event === 'reply' && line.id === id)
      if (reply.error !== undefined) throw new Error(`${name} answered ${question} with: ${reply.error}`)
      return reply
    },
    stop,
    async kill() {
      child.kill('SIGKILL')
      await lines.ended
    },
  }
}

/** Reads a child's lines, and lets others wait for them. */
function collect(child: ChildProcessWithoutNullStreams): {
  readonly events: readonly PeerEvent[]
  readonly ended: Promise<void>
  stderr(): string
  next(accept: (event: PeerEvent) => boolean, signal: AbortSignal): Promise<PeerEvent>
} {
  const events: PeerEvent[] = []
  const watchers = new Set<() => void>()
  let stderr = ''
  let over = false
  const tell = (): void => {
    for (const watcher of watchers) watcher()
  }
  child.stderr.on('data', (text: Buffer) => {
    stderr = (stderr + text.toString()).slice(-20_000)
  })
  // A program that ended by itself cannot take commands; whoever waits for its answer is told by `ended`.
  child.stdin.on('error', () => undefined)
  let rest = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    // Only whole lines count: whoever is killed may leave half a one.
    const whole = `${rest}${text}`.split('\n')
    rest = whole.pop() ?? ''
    events.push(...whole.map((line) => eventShape.parse(JSON.parse(line))))
    tell()
  })
  const ended = new Promise<void>((resolve) => {
    child.once('close', () => {
      over = true
      tell()
      resolve()
    })
  })
  return {
    events,
    ended,
    stderr: () => stderr,
    async next(accept, signal) {
      let looked = 0
      return await new Promise<PeerEvent>((resolve, reject) => {
        const look = (): void => {
          const found = events.slice(looked).find(accept)
          looked = events.length
          if (found === undefined && !over) return
          watchers.delete(look)
          if (found === undefined) reject(new Error('it ended'))
          else resolve(found)
        }
        signal.addEventListener('abort', () => watchers.delete(look), { once: true })
        watchers.add(look)
        look()
      })
    },
  }
}
