import { type ChildProcess, fork, type ForkOptions, spawn } from 'node:child_process'
import type { Readable } from 'node:stream'
import { text as readText } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../../', import.meta.url))

/** How a process ended. */
export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

/** A TypeScript program of this project in a process of its own, with a message channel. */
export interface RunningProgram {
  readonly child: ChildProcess
  /** Resolves when it has ended. */
  readonly ended: Promise<Ended>
  /** The next message that `accept` takes; rejects when the program ends without one. */
  message<T>(accept: (message: unknown) => message is T): Promise<T>
  /** Resolves when the program has written `text` to a stream; rejects when it ends without. */
  line(stream: 'stdout' | 'stderr', text: string): Promise<void>
}

/** Starts `script` (a path in the project) with arguments. */
export function startProgram(
  script: string,
  parameters: readonly string[],
  options: ForkOptions = {},
): RunningProgram {
  const child = fork(`${root}${script}`, parameters, {
    execArgv: ['--conditions=evolve-source'],
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    ...options,
  })
  const ended = collect(child)
  return {
    child,
    ended,
    async message<T>(accept: (message: unknown) => message is T) {
      return await new Promise<T>((resolve, reject) => {
        const onMessage = (received: unknown): void => {
          if (!accept(received)) return
          child.off('message', onMessage)
          resolve(received)
        }
        child.on('message', onMessage)
        void ended.then(({ code, signal, stderr }) =>
          reject(new Error(`${script} ended early: code ${code}, signal ${signal}\n${stderr}`)),
        )
      })
    },
    async line(stream, text) {
      await new Promise<void>((resolve, reject) => {
        let seen = ''
        child[stream]?.on('data', (chunk: Buffer) => {
          seen += chunk.toString()
          if (seen.includes(text)) resolve()
        })
        void ended.then(({ code, signal, stderr }) =>
          reject(new Error(`${script} ended early: code ${code}, signal ${signal}\n${stderr}`)),
        )
      })
    },
  }
}

/** Runs `script` to its end, without a message channel. */
export async function runProgram(
  script: string,
  parameters: readonly string[],
  variables: Readonly<Record<string, string>> = {},
): Promise<Ended> {
  const child = spawn(process.execPath, ['--conditions=evolve-source', `${root}${script}`, ...parameters], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...variables },
  })
  return await collect(child)
}

/** Waits for the end of the process and of its output. Not for `close`, which a closed message channel can hold up. */
async function collect(child: ChildProcess): Promise<Ended> {
  const exited = new Promise<Pick<Ended, 'code' | 'signal'>>((resolve) =>
    child.once('exit', (code, signal) => resolve({ code, signal })),
  )
  const [stdout, stderr, how] = await Promise.all([textOf(child.stdout), textOf(child.stderr), exited])
  return { ...how, stdout, stderr }
}

async function textOf(stream: Readable | null): Promise<string> {
  return stream === null ? '' : await readText(stream)
}
