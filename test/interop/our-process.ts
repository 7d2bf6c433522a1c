/* Nodes of ours in processes of their own, as peers of the suite. */
import { fileURLToPath } from 'node:url'
import { type Peer, startPeer } from './peer-process.ts'

const script = fileURLToPath(new URL('node-process.ts', import.meta.url))

/** Starts a node of ours with the flags of node-process.ts; it is stopped when the running test is over. */
export async function startOurProcess(flags: Readonly<Record<string, string | number>>): Promise<Peer> {
  const parameters = Object.entries(flags).map(([name, value]) => `--${name}=${value}`)
  return await startPeer('our node', process.execPath, ['--conditions=evolve-source', script, ...parameters])
}
