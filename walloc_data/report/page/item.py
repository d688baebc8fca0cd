"""One sample as a part of a page: its name, what there is to say of it, and its views."""

from walloc_data.read.opened import OpenedDataset
from walloc_data.report.page.facts import without_folder
from walloc_data.report.page.markup import Markup, element, name_of
from walloc_data.report.page.samples import Sample
from walloc_data.report.page.views import views_of

__all__ = ["sample_item"]

_LABELS = 3  # classes that are named


def sample_item(sample: Sample, opened: OpenedDataset, *, most: int, bands: str | None) -> Markup:
    """A sample as an item of the list of them, in about `most` bytes."""
    if sample.decoded is None:
        said = without_folder(sample.trouble, opened)
        return element("li", element("p", f"{sample.key} cannot be shown. {said}", class_="trouble"), class_="sample")
    views = views_of(
        opened.codec.config, sample.key, sample.decoded, sample.original, sample.fields, most=most, bands=bands
    )
    labels = [
        names[value]
        for column, names in opened.manifest.classes.items()
        if isinstance(value := sample.fields.get(column), int) and 0 <= value < len(names)
    ]
    facts = [
        *(name_of(label, class_="label") for label in labels[:_LABELS]),
        *([element("strong", f"{sample.psnr:.2f} dB")] if sample.psnr is not None else []),
        element("span", views.note),
        *([] if sample.whole else [element("span", "the middle of it")]),
        *([element("span", sample.trouble, class_="trouble")] if sample.trouble else []),
    ]
    caption = element("figcaption", name_of(sample.key, class_="key"), element("span", *facts, class_="facts"))
    figure = element("figure", caption, element("div", *views.parts, class_=f"views {views.layout}"))
    return element("li", figure, class_="sample")
