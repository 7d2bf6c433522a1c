/** For some methods of `T`, what takes their place; it is given the method itself. */
export type Around<T extends object> = {
  readonly [K in keyof T]?: (inner: NonNullable<T[K]>) => NonNullable<T[K]>
}

/**
 * The same value with something around some of its methods. Everything else shows through, as it is at that moment:
 * what the value has and what it can do is exactly what it had and could do before. A method that is not there stays
 * away.
 */
export function around<B extends object, T extends B>(value: T, methods: Around<B>): T {
  const made = new Map<PropertyKey, { readonly inner: unknown; readonly outer: unknown }>()
  // A stand-in that inherits from it, for a proxy may not change what a frozen value has.
  const standIn: T = Object.create(value)
  return new Proxy(standIn, {
    get(_standIn, key) {
      const inner: unknown = Reflect.get(value, key)
      if (typeof inner !== 'function') return inner
      const known = made.get(key)
      if (known?.inner === inner) return known.outer
      const outer = wrapped(value, inner, Reflect.get(methods, key))
      made.set(key, { inner, outer })
      return outer
    },
    set: (_standIn, key, changed) => Reflect.set(value, key, changed),
    has: (_standIn, key) => Reflect.has(value, key),
    ownKeys: () => Reflect.ownKeys(value),
    getOwnPropertyDescriptor(_standIn, key) {
      const found = Reflect.getOwnPropertyDescriptor(value, key)
      return found === undefined ? undefined : { ...found, configurable: true }
    },
  })
}

/** Methods run on the value itself, whose private fields the proxy does not have. */
function wrapped(target: object, inner: CallableFunction, wrap: unknown): unknown {
  const bound: unknown = inner.bind(target)
  return typeof wrap === 'function' ? Reflect.apply(wrap, undefined, [bound]) : bound
}
