declare module "idiomorph" {
  export const Idiomorph: {
    morph(
      old: Element,
      next: string | Node,
      options: {
        morphStyle: "innerHTML" | "outerHTML";
        callbacks?: {
          beforeNodeMorphed?(old: Node, next: Node): boolean;
          beforeAttributeUpdated?(name: string, node: Node, change: "update" | "remove"): boolean;
        };
      },
    ): void;
  };
}
