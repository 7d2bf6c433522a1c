/*
 * Addresses of the pages.
 */

/** A page and what it shows. */
export type Route =
  | { readonly page: 'home' }
  | { readonly page: 'blocks'; readonly from: number }
  /** `id` is a height, or a header hash as hex. `offset` is the first transaction that is shown. */
  | { readonly page: 'block'; readonly id: number | string; readonly offset: number }
  | { readonly page: 'transaction-at'; readonly height: number; readonly index: number }
  | { readonly page: 'transaction'; readonly hash: string }
  | { readonly page: 'peers' }
  | { readonly page: 'availability' }
  | { readonly page: 'submit' }
  | { readonly page: 'missing' }

const HASH = /^[0-9a-f]{64}$/i

/** A height or place as it stands in an address; undefined when it is none. */
export function wholeNumber(text: string): number | undefined {
  if (!/^\d{1,16}$/.test(text)) return undefined
  const value = Number(text)
  return Number.isSafeInteger(value) ? value : undefined
}

/** Hex of a hash in lower case, with or without `0x` before; undefined when it is none. */
export function hashText(text: string): string | undefined {
  const digits = text.replace(/^0x/i, '')
  return HASH.test(digits) ? digits.toLowerCase() : undefined
}

/** The page of an address. */
export function parseRoute(path: string, query = ''): Route {
  const parts = path.split('/').filter((part) => part !== '')
  const [page = '', first = '', second = '', third = ''] = parts
  const missing: Route = { page: 'missing' }
  if (parts.length === 0) return { page: 'home' }
  if (parts.length === 1) {
    if (page === 'peers' || page === 'availability' || page === 'submit') return { page }
    return missing
  }
  if (parts.length === 2 && page === 'blocks') {
    const from = wholeNumber(first)
    return from === undefined ? missing : { page: 'blocks', from }
  }
  if (parts.length === 2 && page === 'block') {
    const id = hashText(first) ?? wholeNumber(first)
    const offset = wholeNumber(new URLSearchParams(query).get('offset') ?? '0') ?? 0
    return id === undefined ? missing : { page: 'block', id, offset }
  }
  if (parts.length === 2 && page === 'tx') {
    const hash = hashText(first)
    return hash === undefined ? missing : { page: 'transaction', hash }
  }
  if (parts.length === 4 && page === 'block' && second === 'tx') {
    const [height, index] = [wholeNumber(first), wholeNumber(third)]
    return height === undefined || index === undefined ? missing : { page: 'transaction-at', height, index }
  }
  return missing
}

/** Address of a block. */
export function blockPath(id: number | string, offset = 0): string {
  return `/block/${id}${offset === 0 ? '' : `?offset=${offset}`}`
}

/** Address of a list of blocks, the highest first. */
export function blocksPath(from: number): string {
  return `/blocks/${from}`
}

/** Address of a transaction that is known by its hash. */
export function transactionPath(hash: string): string {
  return `/tx/${hash}`
}

/** Address of a transaction by its place. */
export function placePath(height: number, index: number): string {
  return `/block/${height}/tx/${index}`
}
