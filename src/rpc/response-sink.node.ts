import type { HttpResponse } from './port.node.ts'
import type { ByteSink } from './subscriptions/outlet.ts'

/** A {@link ByteSink} of a response; its head must have been written before anything else is. */
export function responseSink(response: HttpResponse): ByteSink {
  return {
    write(bytes) {
      if (response.destroyed || response.writableEnded) return true
      // One call for each kind: their signatures differ.
      return 'stream' in response ? response.write(bytes) : response.write(bytes)
    },
    onDrain(listener) {
      response.on('drain', listener)
    },
    destroy() {
      if ('stream' in response) response.stream.close()
      else response.destroy()
    },
  }
}
