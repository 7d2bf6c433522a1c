import type { Env } from '../../core/env.ts'
import type { Source } from '../../config/yaml-read.ts'
import { peerIdOf } from '../../p2p/identity.ts'
import { describeError } from '../../util/errors.ts'
import { checkHome } from './config.ts'
import { checkDatabase } from './database.ts'
import { type Finding, findingsOf } from './finding.ts'
import { checkGenesis, checkNodeKey, checkSigner } from './keys.ts'
import { checkMachine } from './machine.ts'
import { checkClock, checkDa, checkPeers } from './network.ts'
import { checkPorts } from './ports.ts'
import { checkRunning } from './running.ts'

/** What is looked at. */
export interface Examined {
  readonly home: string | undefined
  readonly variables: Readonly<Record<string, string | undefined>>
  readonly flags: Source
}

/**
 * Looks at all that a node needs, running or not, and changes nothing. `tell` gets each finding as soon as it is there.
 * Never rejects for what it finds.
 */
export async function examine(
  deps: { readonly env: Env },
  { home, variables, flags }: Examined,
  tell: (finding: Finding) => void,
): Promise<void> {
  const { env } = deps
  /** A check that fails by itself is no reason to skip the others. */
  async function run<T>(area: string, check: () => Promise<T>): Promise<T | undefined> {
    try {
      return await check()
    } catch (error) {
      tell(findingsOf(area).problem(describeError(error), 'this could not be looked at; mend what is said'))
      return undefined
    }
  }
  const each = (findings: readonly Finding[] | undefined): void => findings?.forEach(tell)

  each(await run('program', checkMachine))
  const found = await run('config', async () => await checkHome(home, variables, flags))
  if (found === undefined) return
  each(found.findings)
  const { genesis, finding } = await checkGenesis(found, env.now())
  tell(finding)
  const key = await checkNodeKey(found)
  tell(key.finding)
  each(await run('signer', async () => await checkSigner(found, genesis)))
  const peerId = key.nodeKey === undefined ? undefined : peerIdOf(key.nodeKey)
  const running = await run('node', async () => await checkRunning(deps, found, { genesis, peerId }))
  each(running?.findings)
  const runs = running ?? { node: undefined, taken: false, findings: [] }
  each(await run('database', async () => await checkDatabase(found, runs.node !== undefined)))
  each(await run('ports', async () => await checkPorts(found, runs)))
  const peers = await run('peers', async () => {
    return await checkPeers(deps, found, { genesis, nodeKey: key.nodeKey, node: runs.node })
  })
  each(peers?.findings)
  const da = await run('DA', async () => await checkDa(deps, found))
  each(da?.findings)
  const blocks = runs.node === undefined ? [] : [runs.node.status.lastBlockTime]
  tell(checkClock(env.now(), [...(peers?.times ?? []), ...(da?.times ?? []), ...blocks]))
}
