import { type CelestiaClient, createDaClient } from '../../src/da/client/client.node.ts'
import type { DaClientOptions } from '../../src/da/client/settings.ts'
import { deferred } from '../../src/util/async.ts'
import { createRecorder, type Recorder } from './recorder.ts'
import { type ScriptedDaNode, startScriptedDaNode } from './scripted-da-node.ts'
import { createVirtualEnv, type VirtualEnv } from './virtual-env.ts'

/** A client and the scripted DA node that it talks to; the client's time is the test's. */
export interface DaClientRig extends AsyncDisposable {
  readonly node: ScriptedDaNode
  readonly client: CelestiaClient
  readonly time: VirtualEnv
  readonly recorder: Recorder
  /** A signal that never aborts. */
  readonly signal: AbortSignal
  /** Resolves when a line (`level: message`) was logged for the n-th time. */
  logged(line: string, times?: number): Promise<void>
}

/** What a rig begins with. */
export interface DaClientRigOptions extends Partial<DaClientOptions> {
  readonly upgrade?: ScriptedDaNode['upgrade']
  /** Whether the client is started [true]. */
  readonly started?: boolean
  /** A DA node of the test's own. */
  readonly node?: ScriptedDaNode
}

/** Makes a {@link DaClientRig}, its client started; by HTTP alone unless `upgrade` says otherwise. */
export async function createDaClientRig(options: DaClientRigOptions = {}): Promise<DaClientRig> {
  const { upgrade = 404, started = true, node = await startScriptedDaNode(), ...rest } = options
  node.upgrade = upgrade
  const time = createVirtualEnv()
  const recorder = createRecorder()
  const waiting = new Set<() => void>()
  const told =
    (level: 'debug' | 'info' | 'warn') =>
    (message: string): void => {
      recorder.logger[level](message)
      for (const look of waiting) look()
    }
  const logger = {
    ...recorder.logger,
    debug: told('debug'),
    info: told('info'),
    warn: told('warn'),
    child: () => logger,
  }
  const client = createDaClient(
    { env: time.env, logger, metrics: recorder.metrics },
    { address: node.url, ...rest },
  )
  if (started) await client.start()
  return {
    node,
    client,
    time,
    recorder,
    signal: new AbortController().signal,
    async logged(line, times = 1) {
      const { promise, resolve } = deferred<void>()
      const look = (): void => {
        if (recorder.times(line) >= times) resolve()
      }
      waiting.add(look)
      look()
      await promise
      waiting.delete(look)
    },
    async [Symbol.asyncDispose]() {
      await client.stop()
      await node.close()
    },
  }
}

/** What a promise rejects with, for promises that reject before the test comes to look; undefined if it does not. */
export async function failureOf(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise
    return undefined
  } catch (error) {
    return error
  }
}
