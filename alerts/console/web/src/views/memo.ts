// A component that is drawn again only when one of its properties is another one.

import { Component, h, type ComponentChild, type ComponentType } from "preact";

export function memo<P extends object>(draw: (props: P) => ComponentChild): ComponentType<P> {
  class Same extends Component<P> {
    override shouldComponentUpdate(next: P): boolean {
      const keys = Object.keys(next) as (keyof P)[];
      return keys.some((key) => next[key] !== this.props[key]);
    }

    override render(props: P): ComponentChild {
      return h(draw, props);
    }
  }
  return Same as ComponentType<P>;
}
