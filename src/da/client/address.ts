import { EvolveError } from '../../util/errors.ts'

/** Where a DA node listens, for both ways to talk to it. */
export interface DaAddress {
  /** `http:` or `https:`. */
  readonly http: string
  /** `ws:` or `wss:`. */
  readonly webSocket: string
  /** Host and port, for logs. */
  readonly host: string
}

const SCHEMES: Readonly<Record<string, 'http' | 'https'>> = {
  'http:': 'http',
  'ws:': 'http',
  'https:': 'https',
  'wss:': 'https',
}

function invalid(what: string): EvolveError {
  return new EvolveError('INVALID_CONFIG', `the address of the DA node ${what}`)
}

/**
 * Reads the address of a DA node: a URL of http, https, ws or wss, or `host:port`, which is taken as http.
 * Throws `INVALID_CONFIG`. The message does not repeat the address, which may carry a secret.
 */
export function readAddress(text: string): DaAddress {
  const full = /^[a-z][a-z\d+.-]*:\/\//i.test(text) ? text : `http://${text}`
  const url = URL.canParse(full) ? new URL(full) : undefined
  const scheme = url === undefined ? undefined : SCHEMES[url.protocol]
  if (url === undefined || scheme === undefined || url.host === '') {
    throw invalid('must be a URL of http, https, ws or wss, or host:port, such as http://127.0.0.1:26658')
  }
  if (url.username !== '' || url.password !== '') throw invalid('must hold no user or password')
  url.hash = ''
  const rest = url.href.slice(url.protocol.length)
  return {
    http: `${scheme}:${rest}`,
    webSocket: `${scheme === 'http' ? 'ws' : 'wss'}:${rest}`,
    host: url.host,
  }
}
