/*
 * One box for everything that has a height or a hash.
 */
import { type Client, isEvolveError } from 'evolve-node/client'
import { countOf, formatCount } from './format.ts'
import { blockPath, hashText, transactionPath, wholeNumber } from './routes.ts'
import { failureWords } from './words.ts'

/** What somebody looks for. */
export type Wanted =
  | { readonly kind: 'height'; readonly height: number }
  | { readonly kind: 'hash'; readonly hash: string }
  | { readonly kind: 'unclear'; readonly why: string }

/** Reads what was typed: a height, as `1234`, `#1,234`; a hash as hex. */
export function readWanted(text: string): Wanted {
  const typed = text.trim()
  if (typed === '') return { kind: 'unclear', why: 'Type a height, a header hash or a transaction hash.' }
  const hash = hashText(typed)
  if (hash !== undefined) return { kind: 'hash', hash }
  const digits = typed.replace(/^#/, '').replaceAll(/[\s,_]/g, '')
  const height = wholeNumber(digits)
  if (height !== undefined) return { kind: 'height', height }
  if (/^\d+$/.test(digits)) return { kind: 'unclear', why: 'No chain is that high.' }
  const hex = typed.replace(/^0x/i, '')
  if (/^[0-9a-f]+$/i.test(hex)) {
    return { kind: 'unclear', why: `A hash has 64 hex digits; this has ${formatCount(hex.length)}.` }
  }
  return { kind: 'unclear', why: 'That is neither a height nor a hash of 64 hex digits.' }
}

/** Where it was found, or in words why it was not. */
export type Found = { readonly path: string } | { readonly why: string }

/** The part of a client that searching needs. */
export type SearchClient = Pick<Client, 'status' | 'block' | 'transaction'>

/** Looks for what was typed. */
export async function search(client: SearchClient, text: string, signal: AbortSignal): Promise<Found> {
  const wanted = readWanted(text)
  if (wanted.kind === 'unclear') return { why: wanted.why }
  return wanted.kind === 'height'
    ? await searchHeight(client, wanted.height, signal)
    : await searchHash(client, wanted.hash, signal)
}

async function searchHeight(client: SearchClient, wanted: number, signal: AbortSignal): Promise<Found> {
  try {
    const { height, earliestHeight } = await client.status({ signal })
    if (height === 0) return { why: 'The chain has no blocks yet.' }
    if (wanted > height) {
      return { why: `There is no block ${formatCount(wanted)} yet: the chain is at ${formatCount(height)}.` }
    }
    if (wanted < earliestHeight) {
      return { why: `This node keeps blocks from ${formatCount(earliestHeight)} on.` }
    }
    return { path: blockPath(wanted) }
  } catch (error) {
    return { why: failureWords(error) }
  }
}

async function searchHash(client: SearchClient, hash: string, signal: AbortSignal): Promise<Found> {
  const [block, transaction] = await Promise.allSettled([
    client.block(hash, { signal }),
    client.transaction(hash, { signal }),
  ])
  if (block.status === 'fulfilled') return { path: blockPath(hash) }
  if (transaction.status === 'fulfilled') return { path: transactionPath(hash) }
  const trouble = [block, transaction].find(
    ({ reason }) => !isEvolveError(reason, 'BLOCK_NOT_FOUND', 'TX_NOT_FOUND', 'TX_INDEX_OFF'),
  )
  if (trouble !== undefined) return { why: failureWords(trouble.reason) }
  return isEvolveError(transaction.reason, 'TX_INDEX_OFF')
    ? {
        why: 'No block has this hash. Transactions are not found by hash here: this node keeps no index of them.',
      }
    : { why: 'No block and no transaction has this hash.' }
}

/** What is said of a height that is not reached yet. */
export function notYet(wanted: number, height: number): string {
  const left = countOf(wanted - height, 'block')
  return `This block is not there yet: the chain is at ${formatCount(height)}, ${left} to go. It shows here when it comes.`
}
