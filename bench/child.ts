/*
 * Processes of a benchmark: started with an order, ended with it, and what they cost.
 */
import { type ChildProcess, fork, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** A process of a benchmark. */
export interface Child<Message> {
  readonly process: ChildProcess
  /** The next message, already here or to come, that `accept` takes; fails when the process ends before. */
  message<T extends Message>(accept: (message: Message) => message is T): Promise<T>
  send(message: object): void
  /** CPU seconds, of all its threads, so far. */
  cpu(): number
  /** Bytes it ever held in memory at once. */
  peakMemory(): number
  /** Lets go of it and waits until it has ended. */
  stop(): Promise<void>
}

const children = new Set<ChildProcess>()
process.once('exit', killAll)

/** Ends at once whatever still runs. */
export function killAll(): void {
  for (const child of children) child.kill('SIGKILL')
}

/**
 * Starts `bench/processes/<script>.ts` with an order, which it finds as JSON in its first argument. What it does on
 * `disconnect` is to end. Messages are what the script says they are.
 */
export function forkProcess<Message extends object>(script: string, order: object): Child<Message> {
  const path = fileURLToPath(new URL(`processes/${script}.ts`, import.meta.url))
  const child = fork(path, [JSON.stringify(order)], {
    execArgv: ['--conditions=evolve-source', ...profiling(script)],
  })
  return watch<Message>(script, child)
}

/** `BENCH_PROFILE=FOLDER` writes a CPU profile of each process into it. */
function profiling(script: string): string[] {
  const folder = process.env['BENCH_PROFILE']
  if (folder === undefined) return []
  return ['--cpu-prof', `--cpu-prof-dir=${folder}`, `--cpu-prof-name=${script}-${Date.now()}.cpuprofile`]
}

/** Starts any program; its output, but for errors, is left to the caller. */
export function spawnProgram(program: string, parameters: readonly string[]): ChildProcess {
  const child = spawn(program, parameters, { stdio: ['pipe', 'pipe', 'inherit'] })
  children.add(child)
  child.once('exit', () => children.delete(child))
  return child
}

function watch<Message extends object>(name: string, child: ChildProcess): Child<Message> {
  children.add(child)
  const messages: Message[] = []
  const watchers = new Set<() => void>()
  const tell = (): void => {
    for (const watcher of watchers) watcher()
  }
  let over = false
  let last = { cpu: 0, memory: 0 }
  child.on('message', (message: Message) => {
    messages.push(message)
    tell()
  })
  const ended = new Promise<void>((resolve) => {
    child.once('exit', () => {
      over = true
      children.delete(child)
      tell()
      resolve()
    })
  })
  function measure(): typeof last {
    if (!over && child.pid !== undefined) last = usageOf(child.pid)
    return last
  }
  return {
    process: child,
    async message(accept) {
      let looked = 0
      return await new Promise((resolve, reject) => {
        const look = (): void => {
          while (looked < messages.length) {
            const message = messages[looked++]
            if (message === undefined || !accept(message)) continue
            watchers.delete(look)
            messages.splice(looked - 1, 1)
            resolve(message)
            return
          }
          if (over) {
            watchers.delete(look)
            reject(new Error(`${name} ended early`))
          }
        }
        watchers.add(look)
        look()
      })
    },
    send: (message) => child.send(message),
    cpu: () => measure().cpu,
    peakMemory: () => measure().memory,
    async stop() {
      measure()
      if (child.connected) child.disconnect()
      await ended
    },
  }
}

/** CPU seconds and peak resident bytes of a process. Source: proc(5). */
export function usageOf(pid: number): { readonly cpu: number; readonly memory: number } {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  return {
    cpu: (Number(fields[11]) + Number(fields[12])) / 100,
    memory: Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1] ?? '0') * 1_024,
  }
}
