/* Nodes of ours in processes of their own, as peers of the suite. */
import { fileURLToPath } from 'node:url'
import { type Peer, startPeer } from './peer-process.ts'

/** What a process of ours is. */
export type OurRole = 'follower'

/** Starts a node of ours; it is stopped when the running test is over. */
export async function startOurProcess(
  role: OurRole,
  flags: Readonly<Record<string, string | number>>,
): Promise<Peer> {
  const script = fileURLToPath(new URL(`${role}-process.ts`, import.meta.url))
  const parameters = Object.entries(flags).map(([name, value]) => `--${name}=${value}`)
  return await startPeer(`our ${role}`, process.execPath, [
    '--conditions=evolve-source',
    script,
    ...parameters,
  ])
}
