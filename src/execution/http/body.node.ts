import type { IncomingMessage } from 'node:http'
import { EvolveError } from '../../util/errors.ts'

/** Bounds of {@link createBodyReader} in bytes. */
export interface BodyLimits {
  /** One body. */
  readonly maxBytes: number
  /** All bodies that are being read. */
  readonly maxTogether: number
}

/**
 * Makes a function that reads the body of a request. It rejects with `BODY_TOO_BIG` (`reject`) and `SERVER_BUSY`
 * (`retry`), and with what happened when the client is gone.
 */
export function createBodyReader(limits: BodyLimits): (request: IncomingMessage) => Promise<Uint8Array> {
  let together = 0
  return async (request) => {
    const parts: Uint8Array[] = []
    let bytes = 0
    try {
      if (Number(request.headers['content-length'] ?? 0) > limits.maxBytes) throw tooBig(limits.maxBytes)
      // Iterating in the usual way would end the connection before it could be answered.
      for await (const part of chunks(request)) {
        bytes += part.length
        together += part.length
        if (bytes > limits.maxBytes) throw tooBig(limits.maxBytes)
        if (together > limits.maxTogether) {
          throw new EvolveError('SERVER_BUSY', 'too many requests at once', { verdict: 'retry' })
        }
        parts.push(part)
      }
      return new Uint8Array(Buffer.concat(parts, bytes))
    } finally {
      together -= bytes
      // What is left is read and forgotten, for as long as a request may take: else the answer would not get through.
      request.resume()
    }
  }
}

function chunks(request: IncomingMessage): AsyncIterable<Buffer> {
  return request.iterator({ destroyOnReturn: false })
}

function tooBig(limit: number): EvolveError {
  return new EvolveError('BODY_TOO_BIG', `a request body may have ${limit} bytes`, { verdict: 'reject' })
}
